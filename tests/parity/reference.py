"""The oracle: InSPyReNet and the pipeline around it as transparent-background 1.3.4 has them.

The package imports much that inference on a PIL photo never touches. Stand-ins take the place of that, so that its
own code runs unchanged beside the project's few dependencies.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["reference_network", "reference_remover"]

_PACKAGE: Final = "transparent_background"


class _Attributes(dict[str, Any]):
    """easydict's EasyDict, as far as a configuration of dicts goes."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return _Attributes(value) if isinstance(value, dict) else value


class _Compose:
    """torchvision's Compose."""

    def __init__(self, steps: list[Callable[[Any], Any]]) -> None:
        self._steps = steps

    def __call__(self, value: Any) -> Any:
        for step in self._steps:
            value = step(value)
        return value


def _unused(*_args: object, **_settings: object) -> None:
    """Made or called where a network or a Remover is made, and of no effect on what it computes once it has weights."""


_STAND_INS: Final[dict[str, dict[str, object]]] = {
    "timm": {},
    "timm.layers": {
        "DropPath": lambda _rate: nn.Identity(),
        "to_2tuple": lambda side: (side, side),
        "trunc_normal_": _unused,
    },
    "kornia": {},
    "kornia.morphology": {"dilation": _unused, "erosion": _unused},
    "torchvision": {},
    "torchvision.transforms": {"Compose": _Compose},
    "albumentations": {"Compose": _unused, "Normalize": _unused, "Resize": _unused},
    "albumentations.core": {},
    "albumentations.core.transforms_interface": {"ImageOnlyTransform": object},
    "albumentations.pytorch": {"ToTensorV2": _unused},
    "easydict": {"EasyDict": _Attributes},
    "gdown": {},
    "pymatting": {"estimate_foreground_ml": None},  # so the photo's colours stay, and only the alpha is new
    "tqdm": {},
    "wget": {},
}


@contextmanager
def _importable() -> Iterator[None]:
    """While this lasts, the package imports with stand-ins, and without running its own `__init__`."""
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None, f"{_PACKAGE} is not installed"
    modules = {name: _module(name, attributes) for name, attributes in _STAND_INS.items()}
    modules[_PACKAGE] = _module(_PACKAGE, {"__path__": spec.submodule_search_locations})
    hidden = {name: sys.modules[name] for name in modules if name in sys.modules}
    path = list(sys.path)
    sys.modules.update(modules)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.path[:] = path
        for name in [name for name in sys.modules if name in modules or name.startswith(f"{_PACKAGE}.")]:
            del sys.modules[name]
        sys.modules.update(hidden)


def _module(name: str, attributes: dict[str, object]) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(attributes)
    return module


def reference_network(base_size: int) -> Any:
    """The original network, untrained, as the original pipeline runs it. (B, 3, H, W) -> (B, 1, H, W)."""
    with _importable():
        original = importlib.import_module(f"{_PACKAGE}.InSPyReNet")
        return original.InSPyReNet_SwinB(
            depth=64, pretrained=False, base_size=[base_size, base_size], threshold=None
        ).eval()


def reference_remover(mode: str, checkpoint: Path, home: Path) -> Any:
    """The original pipeline with the weights of a local checkpoint; `home` takes the configuration that it writes."""
    with _importable(), mock.patch.dict(os.environ, TRANSPARENT_BACKGROUND_FILE_PATH=str(home)):
        original = importlib.import_module(f"{_PACKAGE}.Remover")
        return original.Remover(mode=mode, device="cpu", ckpt=str(checkpoint))
