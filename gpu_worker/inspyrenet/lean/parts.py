"""The network's tensors, handed out part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gpu_worker.inspyrenet.lean.layers import Convolution, EnlargingConvolution, Layers, Linear

__all__ = ["Parts"]


class Parts:
    """What a module is made from: its tensors, under their names within it, and the device's layers."""

    def __init__(self, tensors: Mapping[str, Tensor], layers: Layers, *, prefix: str = "") -> None:
        self._tensors = tensors
        self._prefix = prefix
        self.layers = layers

    def at(self, name: str) -> Parts:
        return Parts(self._tensors, self.layers, prefix=f"{self._prefix}{name}.")

    def tensor(self, name: str) -> Tensor:
        return self._tensors[self._prefix + name]

    def linear(self, name: str) -> Linear:
        return self.layers.linear(*self._layer(name))

    def convolution(self, name: str, *, dilation: int = 1) -> Convolution:
        return self.layers.convolution(*self._layer(name), dilation=dilation)

    def enlarging_convolution(self, name: str) -> EnlargingConvolution:
        return self.layers.enlarging_convolution(self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias"))

    def _layer(self, name: str) -> tuple[Tensor, Tensor | None]:
        return self.tensor(f"{name}.weight"), self._tensors.get(f"{self._prefix}{name}.bias")
