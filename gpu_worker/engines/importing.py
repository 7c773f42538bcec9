"""torch without a third of its import, which only other programs need."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["torch_for_inference"]

_LEFT_OUT: Final = (
    "torch._meta_registrations",  # what every operator would give for shapes alone, as compilers ask for it
    "torch.distributed._meta_registrations",
    "torch.distributions",
    "torch.export",
    "torch.nested",
)


@contextmanager
def torch_for_inference() -> Iterator[None]:
    """Import torch within it, if all that this process does with it is to compute.

    Afterwards there are no tensors on the device `meta`, no gradients and no tensors from other processes,
    `torch.Generator` raises RuntimeError, and `torch.compile`, `torch.export`, `torch.nested` and `torch.distributions`
    are missing; until `import torch._meta_registrations`, after which each can be imported. Without effect where torch
    was imported before.
    """
    if "torch" in sys.modules:
        yield
        return
    sys.modules.update({name: ModuleType(name) for name in _LEFT_OUT})
    try:
        yield
    finally:
        for name in _LEFT_OUT:
            sys.modules.pop(name, None)
            package, _, attribute = name.rpartition(".")
            if package in sys.modules:
                vars(sys.modules[package]).pop(attribute, None)
