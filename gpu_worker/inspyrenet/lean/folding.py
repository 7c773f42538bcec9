"""From a checkpoint's network to the tensors of the lean one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from gpu_worker.inspyrenet.attention import ContextAttention
from gpu_worker.inspyrenet.context import AxialAttention
from gpu_worker.inspyrenet.convolution import ConvNorm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gpu_worker.inspyrenet.network import InSPyReNet

__all__ = ["fold"]


@torch.no_grad()
def fold(network: InSPyReNet) -> dict[str, Tensor]:
    """Tensors for `LeanNetwork`, float32: batch norms are part of the convolutions before them, both axial attentions
    of a branch are one product, and the convolution after each context attention is split by what it reads.
    """
    folded = dict(_plain(network))
    for name, module in network.named_modules():
        if isinstance(getattr(module, "Hattn", None), AxialAttention):
            folded |= _named(f"{name}.axial.project", *_axial(module.Hattn, module.Wattn))
        elif isinstance(module, ContextAttention):
            weight, bias = folded.pop(f"{name}.conv_out2.weight"), folded.pop(f"{name}.conv_out2.bias")
            of_x, of_context = weight.split([weight.shape[1] - weight.shape[0], weight.shape[0]], dim=1)
            folded |= {**_named(f"{name}.conv_out2_x", of_x, bias), f"{name}.conv_out2_context.weight": of_context}
    return {name: tensor.detach().float().contiguous() for name, tensor in folded.items()}


def _plain(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Everything but the axial attentions, and batch norms within their convolutions."""
    for name, module in network.named_modules():
        if ".Hattn" in name or ".Wattn" in name:
            continue
        if isinstance(module, ConvNorm):
            yield from _named(name, *_folded(module)).items()
        elif not isinstance(module, nn.Conv2d | nn.BatchNorm2d) or name.endswith("patch_embed.proj"):
            yield from ((f"{name}.{own}", tensor) for own, tensor in module.named_parameters(recurse=False))


def _folded(layer: ConvNorm) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of the convolution that does what the layer does."""
    weight = layer.conv.weight.double()
    if not isinstance(layer.bn, nn.BatchNorm2d):
        return weight, weight.new_zeros(weight.shape[0])
    norm = layer.bn
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return weight * scale[:, None, None, None], norm.bias.double() - norm.running_mean.double() * scale


def _axial(height: AxialAttention, width: AxialAttention) -> tuple[Tensor, Tensor]:
    """One linear layer for query, key and value of both."""
    weights, biases = [], []
    for side in (height, width):
        for layer, scale in ((side.query_conv, 1), (side.key_conv, 1), (side.value_conv, side.gamma.double())):
            weight, bias = _folded(layer)
            weights.append(weight[:, :, 0, 0] * scale)
            biases.append(bias * scale)
    return torch.cat(weights), torch.cat(biases)


def _named(name: str, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    return {f"{name}.weight": weight, f"{name}.bias": bias}
