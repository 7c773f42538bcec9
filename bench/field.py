"""Who competes, with which weights and settings, and where everything of a run is kept."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bench.children import ROOT, Contender
from bench.environments import OURS, PEERS
from gpu_worker.weights.publishing import manifest_name
from local.worker_process import WORKER_PROCESS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gpu_worker.weights import Precision

__all__ = ["PRECISIONS", "REMBG", "STOCK", "WORK", "Entry", "Field", "Service"]

WORK: Final = ROOT / ".local" / "bench"
"""Where runs keep what is worth keeping between them."""
STOCK: Final = "transparent-background"
REMBG: Final = "rembg"
PRECISIONS: Final[Mapping[str, Precision]] = MappingProxyType({"float32": "f32", "bfloat16": "bf16"})
"""By the names that the report gives them."""
_ISNET: Final = ROOT / "weights" / "isnet-medium.onnx"


@dataclass(frozen=True, slots=True)
class Entry:
    """One contender: its name in the report, and how it is started."""

    name: str
    python: Path
    arguments: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def start(self, logs: Path, environ: Mapping[str, str] = MappingProxyType({})) -> Contender:
        command: list[str | Path] = [self.python, "-m", *self.arguments]
        return Contender(self.name, command, {**self.environ, **environ}, logs / f"{self.name.replace(' ', '-')}.log")


@dataclass(frozen=True, slots=True)
class Service:
    """The worker's own process: its name in the report, and its settings beside those of `bench.service`."""

    name: str
    environ: Mapping[str, str]


class Field:
    """All that a run needs, in `work`: photos, weights, logs, and what the contenders write."""

    def __init__(self, work: Path) -> None:
        self.work = work.resolve()
        self.photos = self.work / "photos"
        self.logs = self.work / "logs"
        self.out = self.work / "out"
        self._random = self.work / "weights"

    @property
    def weights(self) -> tuple[Path, ...]:
        """Files and folders with everybody's weights."""
        return self._random, _ISNET

    def prepare(self) -> None:
        """Make what is missing: photos in seconds, weights in a minute or two."""
        for folder in (self.logs, self.out):
            folder.mkdir(parents=True, exist_ok=True)
        self.make_photos()
        _run("bench.weights", self._random)
        self._prepare_isnet()

    def make_photos(self) -> None:
        """Make those that are missing."""
        _run("bench.photos", self.photos)

    @property
    def models(self) -> tuple[str, ...]:
        """`fast` and `base`, and `isnet` where its weights could be had."""
        return ("fast", "base", "isnet") if _ISNET.exists() else ("fast", "base")

    def stock(self, mode: str) -> Entry:
        """transparent-background in mode `base` or `fast`."""
        arguments = ("bench.contenders.stock", mode, str(self._random / f"ckpt_{mode}.pth"))
        return Entry(STOCK, PEERS, arguments, {"TRANSPARENT_BACKGROUND_FILE_PATH": str(self.work)})

    def rembg(self) -> Entry:
        return Entry(REMBG, PEERS, ("bench.contenders.rembg_isnet",), {"U2NET_HOME": str(self.work / "rembg")})

    def ours(self, model: str) -> tuple[Entry, ...]:
        """Our script with `base`, `fast` or `isnet`, once for each precision."""
        return tuple(
            Entry(
                f"cutout {precision}",
                OURS,
                ("bench.contenders.cutout", str(self._manifest(model, precision)), PRECISIONS[precision]),
                _settings(precision),
            )
            for precision in _precisions(model)
        )

    def services(self, model: str) -> tuple[Service, ...]:
        """The worker with `base`, `fast` or `isnet`, once for each precision."""
        return tuple(
            Service(
                f"worker {precision}",
                {**_settings(precision), "WEIGHTS": str(self._manifest(model, precision))},
            )
            for precision in _precisions(model)
        )

    def _manifest(self, model: str, precision: str) -> Path:
        """Of weights packed in that precision."""
        if model == "isnet":
            return _ISNET.with_suffix(".json")
        return self._random / manifest_name(f"inspyrenet-{model}", PRECISIONS[precision])

    def _prepare_isnet(self) -> None:
        """Give rembg the weights where it looks for its own, which are of the same network."""
        fetch = [str(OURS), "-m", "gpu_worker.weights", "fetch", "--model", "isnet", "--dir", str(_ISNET.parent)]
        if subprocess.run(fetch, cwd=ROOT, check=False).returncode:
            return
        place = self.work / "rembg" / "models" / "isnet-general-use" / "isnet-general-use.onnx"
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(_ISNET)


def _run(module: str, folder: Path) -> None:
    """In a process of its own, so that this one maps nothing that a contender maps."""
    print(f"{module} {folder}", flush=True)
    subprocess.run([str(OURS), "-m", module, str(folder)], cwd=ROOT, check=True)


def _precisions(model: str) -> tuple[str, ...]:
    return ("float32",) if model == "isnet" else tuple(PRECISIONS)


def _settings(precision: str) -> dict[str, str]:
    return {**WORKER_PROCESS, "PRECISION": PRECISIONS[precision]}
