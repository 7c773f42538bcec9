"""A checkpoint of InSPyReNet made ready for the worker, once: checked, folded, cast, in one file that is mapped.

    python -m gpu_worker.pack ckpt_base.pth weights [--precision f32|bf16|f16]
    python -m gpu_worker.pack mine.pth weights --model base --sha256 DIGEST

The official checkpoints are known by their MD5, which is all that is published of them. Of any other one say its
SHA-256, so that it is the one you mean, and which model it is for.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from gpu_worker.engines.models import MODELS
from gpu_worker.inspyrenet import network_of, read_checkpoint
from gpu_worker.inspyrenet.lean import DTYPES, cast, fold, write_packed
from gpu_worker.weights import Precision, WeightsError
from gpu_worker.weights.digests import demand_digest, digest_of
from gpu_worker.weights.official import BASE, FAST
from gpu_worker.weights.packed import Header
from gpu_worker.weights.publishing import publish, workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_worker.weights import Weights

__all__ = ["Origin", "add_origin_arguments", "main", "origin_of", "pack"]

_OFFICIAL: Final = {"base": BASE, "fast": FAST}


@dataclass(frozen=True, slots=True)
class Origin:
    """Which network a checkpoint is for, and how that is known. `name` is one of `MODELS`."""

    name: str
    source: str
    known_by: str
    licence: str = "MIT, as transparent-background and InSPyReNet are"


def pack(checkpoint: Path, folder: Path, origin: Origin, precision: Precision = "f32") -> Weights:
    """Put the weights of a checkpoint of PyTorch into `folder`, beside a manifest.

    The file is named after its own digest; the same checkpoint always makes the same file. Raises `WeightsError`
    where the checkpoint can't be one of InSPyReNet; then `folder` is as it was.
    """
    network = network_of(read_checkpoint(checkpoint), MODELS[origin.name].preprocessing.side)
    header = Header(model=origin.name, precision=precision, source_sha256=digest_of(checkpoint, "sha256"))
    with workspace(folder) as work:
        draft = work / "packed"
        write_packed(draft, header, cast(fold(network), DTYPES[precision]))
        return publish(
            draft.rename(work / f"{origin.name}-{precision}-{digest_of(draft, 'sha256')[:12]}.safetensors"),
            folder,
            name=origin.name,
            source=origin.source,
            licence=origin.licence,
            obtained=f"checkpoint known by its {origin.known_by}; batch norms folded, packed in {precision}",
            precision=precision,
        )


def origin_of(checkpoint: Path, model: str | None, sha256: str | None) -> Origin:
    """What a checkpoint is: official, which its MD5 tells, or of one's own, with this SHA-256 and for this `model`.

    `model` is base or fast, and may be None where the checkpoint is official. Raises `WeightsError` where it is
    another checkpoint than that.
    """
    return _official(checkpoint, model) if sha256 is None else _own(checkpoint, model, sha256.lower())


def _official(checkpoint: Path, model: str | None) -> Origin:
    md5 = digest_of(checkpoint, "md5")
    for name, official in _OFFICIAL.items():
        if official.md5 == md5 and model in {None, name}:
            return Origin(official.name, official.url, f"MD5 {md5}")
    raise WeightsError(
        f"{checkpoint}: MD5 {md5}, but no official checkpoint of {model or 'InSPyReNet'} has that; if it is your own, "
        "say so with its --sha256 and --model",
        path=str(checkpoint),
        md5=md5,
    )


def _own(checkpoint: Path, model: str | None, sha256: str) -> Origin:
    if model is None:
        raise WeightsError(f"{checkpoint}: which --model is it for, base or fast?", path=str(checkpoint))
    demand_digest(checkpoint, "sha256", sha256)
    return Origin(f"inspyrenet-{model}", checkpoint.name, f"SHA-256 {sha256}", "that of the checkpoint")


def add_origin_arguments(parser: argparse.ArgumentParser) -> None:
    """`checkpoint`, `model` and `sha256`, as `origin_of` takes them."""
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--model", choices=tuple(_OFFICIAL), help="told by an official checkpoint itself")
    parser.add_argument("--sha256", help="of a checkpoint of your own")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gpu_worker.pack", description="Make a checkpoint ready to run.")
    add_origin_arguments(parser)
    parser.add_argument("folder", type=Path, help="where the packed file and its manifest go")
    parser.add_argument("--precision", choices=get_args(Precision), default="f32")
    options = parser.parse_args(argv)
    try:
        origin = origin_of(options.checkpoint, options.model, options.sha256)
        packed = pack(options.checkpoint, options.folder, origin, options.precision)
    except (WeightsError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{packed.name} in {packed.precision} is at {packed.path}, SHA-256 {packed.sha256}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
