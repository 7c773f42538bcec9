"""The file that the worker maps: the lean network's tensors, as they are computed with."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gpu_worker.weights.packed import read_header

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from gpu_worker.weights import Precision
    from gpu_worker.weights.packed import Header

__all__ = ["DTYPES", "read_packed", "write_packed"]

DTYPES: Final[Mapping[Precision, torch.dtype]] = MappingProxyType(
    {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
)


def write_packed(path: Path, header: Header, tensors: Mapping[str, Tensor]) -> None:
    """The same bytes for the same header and tensors."""
    save_file(dict(tensors), path, header.metadata())
    path.chmod(0o644)  # safetensors lets nobody else read it


def read_packed(path: Path) -> tuple[Header, dict[str, Tensor]]:
    """What a file holds. The tensors are the file's pages, mapped: read when they are first touched, never copied.

    Raises `WeightsError` where the file is anything else, or of another format.
    """
    header = read_header(path)
    with safe_open(path, framework="pt") as file:
        return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
