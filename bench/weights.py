"""Random weights for the benchmarks, where the real checkpoints are out of reach: the same ones for all contenders.

`python -m bench.weights FOLDER` makes what is missing: `ckpt_base.pth` and `ckpt_fast.pth` as the official checkpoints
are stored, and beside them what this project packs them into. Calibrated on photos, they are as fast and as sensitive
to rounding as trained ones, or more so; but no matte of theirs means anything.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from gpu_worker.pack import Origin, pack
from gpu_worker.weights import Weights, WeightsError
from gpu_worker.weights.digests import digest_of
from gpu_worker.weights.packed import read_header
from gpu_worker.weights.publishing import manifest_name
from tests.parity.calibration import calibrate
from tests.parity.photos import as_inputs
from tests.parity.reference import reference_network

if TYPE_CHECKING:
    from gpu_worker.weights import Precision

__all__ = ["main"]

_SIDES: Final = {"base": 1024, "fast": 384}
_PRECISIONS: Final[tuple[Precision, ...]] = ("f32", "bf16")
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


def _pack(checkpoint: Path, name: str, precision: Precision) -> None:
    """Unless that was done, for this very checkpoint and in the format of today."""
    folder = checkpoint.parent
    sha256 = digest_of(checkpoint, "sha256")
    try:
        packed = Weights.read(folder / manifest_name(name, precision))
        if read_header(packed.path).source_sha256 == sha256:
            return
    except WeightsError as error:
        print(error, flush=True)
    pack(checkpoint, folder, Origin(name, _SOURCE, f"SHA-256 {sha256}", licence="none: random numbers"), precision)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.weights", description="Make the benchmarks' weights.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for mode in _SIDES:
        path = _checkpoint(folder, mode)
        for precision in _PRECISIONS:
            _pack(path, f"inspyrenet-{mode}", precision)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
