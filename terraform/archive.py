"""`python -m terraform.archive FILE`: the functions' source, as Cloud Functions builds it.

The same sources give the same bytes, so an archive is named after its content and a function is only deployed anew
when something changed.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PACKAGES", "contents", "main", "write_archive"]

ROOT: Final = Path(__file__).parent.parent

PACKAGES: Final = ("alerts", "cloud", "events", "functions", "imaging", "jobs", "planner", "warehouse", "webhooks")
"""What a function imports of ours. The worker is none of it."""

_KINDS: Final = frozenset({".json", ".py", ".sql"})
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file knows."""
_READABLE: Final = 0o644 << 16
_ENTRY: Final = '''"""Where Cloud Functions looks for its target."""

from functions.main import __getattr__

__all__ = ["__getattr__"]
'''


def contents(root: Path = ROOT) -> dict[str, bytes]:
    """By their names in the archive, in order of these."""
    files = {
        "main.py": _ENTRY.encode(),
        "requirements.txt": (root / "requirements" / "functions.txt").read_bytes(),
        "constraints.txt": (root / "requirements" / "constraints.txt").read_bytes(),
    }
    for path in _sources(root):
        files[path.relative_to(root).as_posix()] = path.read_bytes()
    return dict(sorted(files.items()))


def write_archive(path: Path, root: Path = ROOT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents(root).items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _READABLE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def _sources(root: Path) -> Iterator[Path]:
    for package in PACKAGES:
        for path in (root / package).rglob("*"):
            if path.suffix in _KINDS and "__pycache__" not in path.parts:
                yield path


def main(arguments: Sequence[str]) -> int:
    write_archive(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
