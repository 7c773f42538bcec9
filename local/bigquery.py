"""BigQuery on this machine: bqemulator, in a virtual environment of its own, and our table and views in it.

It keeps what it is told in a DuckDB file. It does not drop rows of an insert id that it has seen, and ignores columns
that a table does not have: neither does the code that writes to it rely on either.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from google.cloud.bigquery import SchemaField, Table, TimePartitioning

from local.ports import LOOPBACK
from local.processes import Program, http_answers
from warehouse.schema import COST_EVENTS
from warehouse.sql import VIEWS, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import Client

__all__ = ["BigQueryEmulator", "create_cost_table", "ensure_emulator"]

_ROOT: Final = Path(__file__).parent.parent
_FOLDER: Final = _ROOT / ".venv-bigquery"
_REQUIREMENTS: Final = _ROOT / "requirements" / "bigquery-emulator.txt"
_TOLD: Final = 10
_TAIL_LINES: Final = 20
_INSTALL_EXTENSION: Final = """
import duckdb, duckdb_extension_spatial, pathlib
[extension] = pathlib.Path(duckdb_extension_spatial.__file__).parent.rglob("*.duckdb_extension")
duckdb.connect().execute(f"INSTALL '{extension}'")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BigQueryEmulator:
    """A server on this machine. `data` is a folder that may be used again by a later one."""

    port: int
    data: Path
    project: str

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def program(self) -> Program:
        """Installs the emulator where it is not there yet. Raises `RuntimeError` where that fails."""
        folder = ensure_emulator()
        return Program(
            name="bigquery",
            command=(
                folder / "venv" / "bin" / "python",
                Path(__file__).with_name("bigquery_server.py"),
                *("start", "--persistent", "--data-dir", self.data.absolute(), "--project", self.project),
                *("--rest-host", LOOPBACK, "--rest-port", str(self.port)),
                *("--grpc-host", LOOPBACK, "--grpc-port", "0"),
                *("--log-level", "warning"),
            ),
            environ={
                "HOME": str(folder),  # where DuckDB looks for extensions
                "BQEMU_ENABLE_FORMAT_EXTENSIONS": "false",  # it would fetch one from the network
                "BQEMU_QUERY_CACHE_TTL_SECONDS": "0",
            },
            ready=http_answers(f"{self.url}/bigquery/v2/projects/{self.project}/datasets"),
            ready_seconds=60.0,
        )


def create_cost_table(client: Client, dataset: str) -> None:
    """The table with the columns of today, and the views: what `terraform/` does for the real one."""
    client.create_dataset(dataset, exists_ok=True)
    table = Table(
        f"{client.project}.{dataset}.cost_events",
        schema=[
            SchemaField(column.name, column.type, column.mode, description=column.description)
            for column in COST_EVENTS.columns
        ],
    )
    table.time_partitioning = TimePartitioning(field="occurred_at")
    table.clustering_fields = ["tenant", "kind"]
    existing = client.create_table(table, exists_ok=True)
    if len(existing.schema) < len(table.schema):
        client.update_table(table, ["schema"])
    for name in VIEWS:
        made = Table(f"{client.project}.{dataset}.{name}")
        made.view_query = view(name, dataset)
        client.delete_table(made, not_found_ok=True)
        client.create_table(made)


def ensure_emulator(folder: Path = _FOLDER) -> Path:
    """A folder with the emulator of today's requirements in `venv`, made where it is missing or an older one.

    Raises `RuntimeError` with the end of pip's output where that fails.
    """
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    with _held(folder / "lock"):
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            _install(folder)
            stamp.write_text(wanted)
    return folder


def _install(folder: Path) -> None:
    print(f"installing the BigQuery emulator into {folder.name} (once; a minute or two)", flush=True)
    venv.create(folder / "venv", clear=True, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    _run(*pip, "install", "--progress-bar", "off", "-r", str(_REQUIREMENTS))
    _run(str(python), "-c", _INSTALL_EXTENSION, home=folder)


def _run(*command: str, home: Path | None = None) -> None:
    """Tells of every tenth package that pip has got hold of."""
    environ = os.environ if home is None else {**os.environ, "HOME": str(home)}
    packages = sum(line[:1].isalnum() for line in _REQUIREMENTS.read_text().splitlines())
    lines: list[str] = []
    got = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ) as child:
        for line in child.stdout or ():
            lines.append(line.rstrip())
            got += line.startswith(("Collecting", "Processing"))
            if line.startswith(("Collecting", "Processing")) and got % _TOLD == 0:
                print(f"  {got} of {packages} packages", flush=True)
    if child.returncode:
        raise RuntimeError("installing the BigQuery emulator failed:\n" + "\n".join(lines[-_TAIL_LINES:]))


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Of two stacks that start at once, one installs and the other waits."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
