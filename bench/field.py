"""Who competes, with which weights and settings, and where everything of a run is kept."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bench.children import ROOT, Contender
from bench.environments import OURS, PEERS
from local.allocator import ALLOCATOR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PRECISIONS", "REMBG", "STOCK", "Entry", "Field"]

STOCK: Final = "transparent-background"
REMBG: Final = "rembg"
PRECISIONS: Final = MappingProxyType({"float32": "f32"})
"""Names of ours in the report, and what the worker calls them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One contender: its name in the report, and how it is started. `weights` is the file that it reads."""

    name: str
    python: Path
    arguments: tuple[str, ...]
    weights: Path
    environ: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def start(self, logs: Path, environ: Mapping[str, str] = MappingProxyType({})) -> Contender:
        command: list[str | Path] = [self.python, "-m", *self.arguments]
        return Contender(self.name, command, {**self.environ, **environ}, logs / f"{self.name.replace(' ', '-')}.log")


class Field:
    """All that a run needs, in `work`: photos, weights, logs, and what the contenders write."""

    def __init__(self, work: Path) -> None:
        self.work = work.resolve()
        self.photos = self.work / "photos"
        self.logs = self.work / "logs"
        self.out = self.work / "out"
        self._weights = self.work / "weights"

    def prepare(self) -> None:
        """Make what is missing: photos in seconds, weights in a minute or two."""
        for folder in (self.work, self.logs, self.out):
            folder.mkdir(parents=True, exist_ok=True)
        for module, folder in (("bench.photos", self.photos), ("bench.weights", self._weights)):
            print(f"{module}: {folder}", flush=True)
            subprocess.run([str(OURS), "-m", module, str(folder)], cwd=ROOT, check=True, env=dict(os.environ))
        self._place_isnet()

    def stock(self, mode: str) -> Entry:
        """transparent-background in mode `base` or `fast`."""
        checkpoint = self._weights / f"ckpt_{mode}.pth"
        return Entry(
            STOCK,
            PEERS,
            ("bench.contenders.stock", mode, str(checkpoint)),
            checkpoint,
            {"TRANSPARENT_BACKGROUND_FILE_PATH": str(self.work)},
        )

    def rembg(self) -> Entry:
        return Entry(
            REMBG, PEERS, ("bench.contenders.rembg_isnet",), self._isnet, {"U2NET_HOME": str(self.work / "rembg")}
        )

    def ours(self, model: str) -> tuple[Entry, ...]:
        """Ours with `base`, `fast` or `isnet`, once for each precision that it has."""
        manifest = self._manifest(model)
        precisions = {"": ""} if model == "isnet" else PRECISIONS
        return tuple(
            Entry(
                f"cutout {name}".rstrip(),
                OURS,
                ("bench.contenders.cutout", str(manifest)),
                manifest.with_suffix(".safetensors") if model != "isnet" else self._isnet,
                {**ALLOCATOR, **({"PRECISION": precision} if precision else {})},
            )
            for name, precision in precisions.items()
        )

    def worker_environ(self, model: str, precision: str) -> dict[str, str]:
        """Settings of the worker's own process for these weights, beside those of `bench.service`."""
        return {**ALLOCATOR, "WEIGHTS": str(self._manifest(model)), "PRECISION": PRECISIONS[precision]}

    @property
    def _isnet(self) -> Path:
        return ROOT / "weights" / "isnet-medium.onnx"

    def _manifest(self, model: str) -> Path:
        return self._isnet.with_suffix(".json") if model == "isnet" else self._weights / f"inspyrenet-{model}.json"

    def _place_isnet(self) -> None:
        """Give rembg its weights where it looks for them; its own release is the same network, with other weights."""
        place = self.work / "rembg" / "models" / "isnet-general-use" / "isnet-general-use.onnx"
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(self._isnet)
