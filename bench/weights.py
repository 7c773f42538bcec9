"""Random weights for the benchmarks, where the real checkpoints are out of reach: the same ones for all contenders.

`python -m bench.weights FOLDER` makes what is missing: `ckpt_base.pth` and `ckpt_fast.pth` as the official checkpoints
are stored, and beside them what this project makes of such a checkpoint. Calibrated on photos, they are as fast and as
sensitive to rounding as trained ones, or more so; but no matte of theirs means anything.
"""

from __future__ import annotations

import argparse
import hashlib
from functools import partial
from pathlib import Path
from typing import Final

import torch

from gpu_worker.weights import Checkpoint, fetch_checkpoint
from tests.parity.calibration import calibrate
from tests.parity.photos import as_inputs
from tests.parity.reference import reference_network

__all__ = ["main"]

_SIDES: Final = {"base": 1024, "fast": 384}
_SOURCE: Final = "random:calibrated"


def _checkpoint(folder: Path, mode: str) -> Path:
    path = folder / f"ckpt_{mode}.pth"
    if not path.exists():
        torch.manual_seed(0)
        network = reference_network(_SIDES[mode])
        calibrate(network, as_inputs(["astronaut", "chelsea", "coffee"], 192, 192), seed=0)
        unfinished = path.with_suffix(".part")
        torch.save(network.state_dict(), unfinished)
        unfinished.replace(path)
    return path


def _link(checkpoint: Path, _url: str, target: Path) -> None:
    """Instead of a download."""
    target.symlink_to(checkpoint)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.weights", description="Make the benchmarks' weights.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for mode in _SIDES:
        path = _checkpoint(folder, mode)
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        official = Checkpoint(f"inspyrenet-{mode}", _SOURCE, md5)
        fetch_checkpoint(official, folder, download=partial(_link, path))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
