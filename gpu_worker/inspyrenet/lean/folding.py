"""From the network as it was trained to the tensors of the lean one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from gpu_worker.inspyrenet.attention import ContextAttention
from gpu_worker.inspyrenet.context import AxialAttention
from gpu_worker.inspyrenet.convolution import ConvNorm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor


__all__ = ["cast", "fold"]

_SINGLE: Final = (
    "patch_embed.proj.",
    "relative_position_bias_table",
    "conv_key.",
    "conv_value.",
    "conv_out1.",
    "threshold",
)
"""Parts of names of tensors that stay in float32: they cost next to nothing, and their rounding would be felt."""


@torch.no_grad()
def fold(network: nn.Module) -> dict[str, Tensor]:
    """Tensors for `LeanNetwork`, float32, on the CPU.

    Batch norms become part of the convolutions before them, the queries, keys and values of two axial attentions one
    layer, and the convolution over a context attention's input and output two.
    """
    folded = dict(_layers(network))
    for name, module in network.named_modules():
        if isinstance(getattr(module, "Hattn", None), AxialAttention):
            folded |= _named(f"{name}.axial.project", *_axial(module.Hattn, module.Wattn))
        elif isinstance(module, ContextAttention):
            weight, bias = (folded.pop(f"{name}.conv_out2.{kind}") for kind in ("weight", "bias"))
            of_x, of_context = weight.tensor_split([weight.shape[1] - weight.shape[0]], dim=1)
            folded |= _named(f"{name}.conv_out2_of_x", of_x, bias)
            folded[f"{name}.conv_out2_of_context.weight"] = of_context
    return {name: tensor.detach().float().contiguous() for name, tensor in folded.items()}


def cast(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors of `fold` for passes in `dtype`, on their devices."""
    return {
        name: tensor if any(part in name for part in _SINGLE) else tensor.to(dtype) for name, tensor in tensors.items()
    }


def _layers(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter outside the axial attentions; of a convolution and its batch norm, the two that they fold to."""
    for name, module in network.named_modules():
        if "Hattn" in name or "Wattn" in name:
            continue
        if isinstance(module, ConvNorm):
            yield from _named(name, *_folded(module)).items()
        elif not isinstance(module, nn.BatchNorm2d) and not name.endswith(".conv"):
            yield from ((f"{name}.{own}", tensor) for own, tensor in module.named_parameters(recurse=False))


def _folded(layer: ConvNorm) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of the convolution that does what both do."""
    weight = layer.conv.weight.double()
    norm = layer.bn
    if not isinstance(norm, nn.BatchNorm2d):
        return weight, weight.new_zeros(len(weight))
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return weight * scale[:, None, None, None], norm.bias.double() - norm.running_mean.double() * scale


def _axial(height: AxialAttention, width: AxialAttention) -> tuple[Tensor, Tensor]:
    """Weight and bias of one linear layer for query, key and value of `height`, then of `width`."""
    weights, biases = [], []
    for attention in (height, width):
        gamma = attention.gamma.double()
        for layer, scale in (
            (attention.query_conv, torch.ones_like(gamma)),
            (attention.key_conv, torch.ones_like(gamma)),
            (attention.value_conv, gamma),
        ):
            weight, bias = _folded(layer)
            weights.append(weight[:, :, 0, 0] * scale)
            biases.append(bias * scale)
    return torch.cat(weights), torch.cat(biases)


def _named(name: str, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    return {f"{name}.weight": weight, f"{name}.bias": bias}
