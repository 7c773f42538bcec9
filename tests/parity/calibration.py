"""Random weights that behave like trained ones: every tensor matters, and no feature explodes or dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["calibrate"]

_SPREAD: Final = 0.1
"""How far affine parameters and statistics are moved off what they should be."""

_WEAK: Final = (
    "query_conv.bn.weight",  # or the unscaled axial attention would look at one position only
    "conv_out1.bn.weight",  # or context that is new in scale, as at another size, would drown everything else
)


def calibrate(network: Any, images: Tensor, *, seed: int) -> None:
    """Give the original network random parameters, and its batch norms the statistics of `images`, but not quite."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            _randomise(name, parameter, random)
        hooks = [
            norm.register_forward_pre_hook(_statistics(random, shared=name.startswith("attention")))
            for name, norm in network.named_modules()
            if isinstance(norm, nn.BatchNorm2d)
        ]
        network(images)
        for hook in hooks:
            hook.remove()


def _randomise(name: str, parameter: Tensor, random: torch.Generator) -> None:
    noise = torch.randn(parameter.shape, generator=random)
    if name.endswith("gamma"):
        parameter.copy_(0.7 + 0.3 * noise)
    elif name.endswith("threshold"):
        parameter.copy_(0.5 + _SPREAD * noise.clamp(-1, 1))
    elif name.endswith("relative_position_bias_table"):
        parameter.copy_(0.5 * noise)
    elif parameter.ndim == 1:
        parameter.add_(_SPREAD * noise)
        if name.endswith(_WEAK):
            parameter.mul_(0.1)
    else:
        parameter.copy_(noise / parameter[0].numel() ** 0.5)


def _statistics(random: torch.Generator, *, shared: bool) -> Any:
    """A hook that sets a batch norm's statistics to those of its input, moved a little.

    `shared`: all channels get one scale. The context vectors are sums over the image that nearly cancel in some
    channels, which then would be divided by next to nothing, and amplify rounding.
    """

    def set_statistics(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        mean = inputs[0].mean((0, 2, 3))
        variance = inputs[0].var((0, 2, 3), unbiased=False)
        if shared:
            variance = (variance + mean**2).mean().expand_as(variance)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean + _SPREAD * variance.sqrt() * torch.randn(mean.shape, generator=random))
        norm.running_var.copy_(variance * (1 + _SPREAD * torch.randn(mean.shape, generator=random).clamp(-3, 3)))

    return set_statistics
