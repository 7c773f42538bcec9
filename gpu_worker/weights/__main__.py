"""The command line of weights: fetch some, or show what is there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from events.errors import CutoutError
from gpu_worker.engines.models import model_id, precisions_of
from gpu_worker.weights.errors import WeightsMissingError
from gpu_worker.weights.fetching import fetch
from gpu_worker.weights.finding import weights_in

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gpu_worker.weights", description="Weights as local files.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="fetch weights, unless they are there and whole")
    fetching.add_argument("--model", choices=("auto", "base", "fast", "isnet"), default="auto")
    showing = commands.add_parser("show", help="check and list the weights that are there")
    for command in (fetching, showing):
        command.add_argument("--dir", type=Path, default=Path("weights"), dest="folder")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "fetch":
            weights = fetch(arguments.model, arguments.folder)
            _say(f"{weights.name} is at {weights.path}, SHA-256 {weights.sha256}")
            _say(f"Licence: {weights.manifest.licence}.")
        else:
            _show(arguments.folder)
    except CutoutError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _show(folder: Path) -> None:
    found = weights_in(folder)
    if not found:
        raise WeightsMissingError(f"no weights in {folder}; `make weights` fetches some", places=str(folder))
    for weights in found:
        weights.verify()
        manifest = weights.manifest
        _say(f"{weights.path}: {manifest.bytes:,} bytes, as its manifest says")
        for precision in precisions_of(weights):
            _say(f"  model    {model_id(weights, precision)}")
        for field in ("sha256", "source", "licence", "obtained"):
            _say(f"  {field:8} {getattr(manifest, field)}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
