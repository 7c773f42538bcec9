"""The packed tensors of the network, handed out part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gpu_worker.inspyrenet.lean.layers import Convolution, EnlargingConvolution, Layers, Linear

__all__ = ["Parts"]


class Parts:
    """What a module is made from: its tensors, by names within it, and the device's layers."""

    def __init__(self, tensors: Mapping[str, Tensor], layers: Layers, *, prefix: str = "") -> None:
        self._tensors = tensors
        self._prefix = prefix
        self.layers = layers

    def at(self, name: str) -> Parts:
        return Parts(self._tensors, self.layers, prefix=f"{self._prefix}{name}.")

    def tensor(self, name: str) -> Tensor:
        return self._tensors[self._prefix + name]

    def linear(self, name: str, *, bias: bool = True) -> Linear:
        part = self.at(name)
        return self.layers.linear(part.tensor("weight"), part.tensor("bias") if bias else None)

    def convolution(self, name: str, *, bias: bool = True, dilation: int = 1) -> Convolution:
        part = self.at(name)
        return self.layers.convolution(
            part.tensor("weight"), part.tensor("bias") if bias else None, dilation=dilation
        )

    def enlarging_convolution(self, name: str) -> EnlargingConvolution:
        part = self.at(name)
        return self.layers.enlarging_convolution(part.tensor("weight"), part.tensor("bias"))
