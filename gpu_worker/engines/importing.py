"""torch without the third of its import that only programs which record operators need."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["without_tracing"]

_TRACING: Final = "torch._meta_registrations"
"""What every operator would give for shapes alone, written in Python, as compilers ask for it."""


@contextmanager
def without_tracing() -> Iterator[None]:
    """Import torch within it, if all that this process does with it is to compute.

    Afterwards there are no tensors on the device `meta`, `torch.Generator` raises RuntimeError, and `torch.compile`
    and `torch.export` fail; until `import torch._meta_registrations`, which brings all of them back. Without effect
    where torch was imported before.
    """
    if "torch" in sys.modules:
        yield
        return
    placeholder = ModuleType(_TRACING)
    sys.modules[_TRACING] = placeholder
    try:
        yield
    finally:
        sys.modules.pop(_TRACING)
        torch = sys.modules.get("torch")
        if torch is not None:
            vars(torch).pop(_TRACING.rpartition(".")[2], None)
