"""The peers' own virtual environment, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

from bench.children import ROOT

__all__ = ["OURS", "PEERS", "ensure_peers", "files_of"]

OURS: Final = Path(sys.executable)
PEERS: Final = ROOT / ".venv-stock" / "bin" / "python"
_REQUIREMENTS: Final = ROOT / "requirements" / "bench-stock.txt"
_STAMP: Final = ROOT / ".venv-stock" / ".installed"


def ensure_peers() -> None:
    """Install what `requirements/bench-stock.txt` says, unless it is installed. Some 6 GB, minutes."""
    if _STAMP.exists() and _STAMP.read_bytes() == _REQUIREMENTS.read_bytes():
        return
    print(f"installing the peers into {_STAMP.parent} (several minutes)", flush=True)
    if not PEERS.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_STAMP.parent)], check=True)
    pip = [str(PEERS), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(_REQUIREMENTS)], check=True)
    _STAMP.write_bytes(_REQUIREMENTS.read_bytes())


def files_of(python: Path) -> tuple[Path, ...]:
    """All that a start with this interpreter may read: its packages, the standard library, this project's code."""
    return (python.parent.parent / "lib", Path(sysconfig.get_path("stdlib")), *_sources())


def _sources() -> tuple[Path, ...]:
    return tuple(ROOT / name for name in ("bench", "cloud", "events", "gpu_worker", "imaging", "jobs"))
