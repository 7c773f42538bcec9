"""Whether what the worker runs gives the mattes of the network as it was published, in each precision.

    python -m gpu_worker.check ckpt_base.pth [PHOTO ...] [--precision f32|bf16|f16]... [--device cpu|cuda]
    python -m gpu_worker.check mine.pth --model base --sha256 DIGEST

Every photo goes through the published network in float32 and through the worker's in each precision; alphas from 0 to
1 are compared at the network's size. Exits with 0 where every precision is within its limit, else with 1. Rounding
depends on the weights: run it once for every new checkpoint, before a precision other than f32 serves it.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, get_args

import torch

from events.errors import CutoutError
from gpu_worker.engines.inspyrenet import demand_device
from gpu_worker.engines.models import MODELS
from gpu_worker.inspyrenet import network_of, read_checkpoint
from gpu_worker.inspyrenet.lean import DTYPES, LeanNetwork, OneDnnLayers, cast, fold, layers_for
from gpu_worker.pack import add_origin_arguments, origin_of
from gpu_worker.weights import Precision
from imaging.decode import decode
from imaging.photo import for_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import Tensor

    from gpu_worker.engines.preprocessing import Preprocessing

    Network = Callable[[Tensor], Tensor]

__all__ = ["Comparison", "compare", "main"]

_PHOTOS: Final = Path("assets/photos")
_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp"}

_LARGEST: Final = 6e-4
"""Of float32: what its rounding comes to at 1024 px, and a sixth of a level of 8-bit alpha."""
_MEAN: Final = 0.5 / 255
"""Of the others, whose single pixels at an edge may differ: half a level of 8-bit alpha."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One photo in one precision: differences of alpha, 0 to 1, and seconds of the pass and of the published one."""

    photo: str
    precision: Precision
    largest: float
    mean: float
    seconds: float
    published_seconds: float

    @property
    def within(self) -> bool:
        """Whether the difference is within the precision's limit; never where an alpha is not a number."""
        return self.largest <= _LARGEST if self.precision == "f32" else self.mean <= _MEAN


def compare(
    published: Network, networks: dict[Precision, Network], photos: Iterable[Path], preprocessing: Preprocessing
) -> Iterator[Comparison]:
    """A photo at a time, in the order of `networks`. They take and give (1, channels, side, side) on the CPU."""
    for photo in photos:
        image = torch.from_numpy(preprocessing.apply(for_network(decode(photo.read_bytes()))))[None]
        expected, published_seconds = _timed(published, image)
        for precision, network in networks.items():
            matte, seconds = _timed(network, image)
            difference = (matte - expected).abs()
            yield Comparison(
                photo.name, precision, float(difference.max()), float(difference.mean()), seconds, published_seconds
            )


def _timed(network: Network, image: Tensor) -> tuple[Tensor, float]:
    started = time.perf_counter()
    with torch.inference_mode():
        matte = network(image)
    return matte, time.perf_counter() - started


def _networks(
    checkpoint: Path, side: int, device: str, precisions: Sequence[Precision]
) -> tuple[Network, dict[Precision, Network]]:
    """The published network, and the worker's in each precision."""
    published = network_of(read_checkpoint(checkpoint), side)
    folded = fold(published)
    published.to(device)

    def lean(precision: Precision) -> Network:
        dtype = DTYPES[precision]
        tensors = {name: tensor.to(device) for name, tensor in cast(folded, dtype).items()}
        network = LeanNetwork(tensors, side, layers_for(device, dtype))
        return lambda image: network(image.to(device)).cpu()

    return lambda image: published(image.to(device)).cpu(), {precision: lean(precision) for precision in precisions}


def _quick(device: str) -> list[Precision]:
    """The precisions that the device has instructions for. The others run too, some of them very slowly."""
    return [name for name, dtype in DTYPES.items() if device == "cuda" or OneDnnLayers.supports(dtype)]


def _report(comparisons: Iterable[Comparison]) -> bool:
    """Print each comparison as it comes, then a verdict on each precision; returns whether all are within."""
    rows = []
    _say(f"{'photo':24} {'precision':9} {'largest':>9} {'mean':>9} {'seconds':>8} {'published':>9}")
    for row in comparisons:
        rows.append(row)
        _say(
            f"{row.photo:24} {row.precision:9} {row.largest:9.6f} {row.mean:9.6f} {row.seconds:8.2f} "
            f"{row.published_seconds:9.2f}"
        )
    _say("")
    for precision in dict.fromkeys(row.precision for row in rows):
        _say(_verdict(precision, [row for row in rows if row.precision == precision]))
    return all(row.within for row in rows)


def _verdict(precision: Precision, rows: Sequence[Comparison]) -> str:
    limit = f"largest {_LARGEST:.4f}" if precision == "f32" else f"mean {_MEAN:.4f}"
    beyond = [row.photo for row in rows if not row.within]
    answer = f"beyond its limit ({limit}) on {', '.join(beyond)}" if beyond else f"within its limit ({limit})"
    speed = median(row.published_seconds / row.seconds for row in rows)
    return f"{precision}: {answer}; {speed:.1f} times as fast as published"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _photos() -> list[Path]:
    return sorted(path for path in _PHOTOS.glob("*") if path.suffix in _SUFFIXES)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gpu_worker.check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_origin_arguments(parser)
    parser.add_argument("photos", nargs="*", type=Path, metavar="PHOTO", help=f"default: those in {_PHOTOS}")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--precision",
        action="append",
        choices=get_args(Precision),
        dest="precisions",
        help="may be given several times; default: all that the device has instructions for",
    )
    options = parser.parse_args(argv)
    try:
        demand_device(options.device)
        origin = origin_of(options.checkpoint, options.model, options.sha256)
        preprocessing = MODELS[origin.name].preprocessing
        photos = options.photos or _photos()
        if not photos:
            parser.error(f"no photos given, and none in {_PHOTOS}")
        precisions = options.precisions or _quick(options.device)
        if skipped := [name for name in DTYPES if name not in precisions and not options.precisions]:
            _say(f"not checked, since this processor is slow at it: {', '.join(skipped)}\n")
        published, networks = _networks(options.checkpoint, preprocessing.side, options.device, precisions)
        return 0 if _report(compare(published, networks, photos, preprocessing)) else 1
    except (CutoutError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
