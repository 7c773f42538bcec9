"""The models that engines exist for, each with its pre- and post-processing declared as a value.

Imports neither torch nor ONNX Runtime, so that whoever only needs a model's id stays light.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from gpu_worker.engines.base import EngineUnavailableError
from gpu_worker.engines.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_worker.weights import Precision, Weights

__all__ = ["MODELS", "Backend", "InSPyReNetModel", "OnnxModel", "model_id", "model_of", "precisions_of"]

Backend = Literal["torch", "openvino"]
"""What computes. `torch` is each network's own engine: torch for InSPyReNet, ONNX Runtime for ONNX."""

_OPENVINO_PRECISIONS: Final[tuple[Precision, ...]] = ("f32", "bf16")


@dataclass(frozen=True, slots=True)
class InSPyReNetModel:
    """InSPyReNet over Swin-B. `largest_batch`: images at once on a GPU, if its memory does."""

    version: int
    preprocessing: Preprocessing
    largest_batch: int
    precisions: tuple[Precision, ...] = ("f32", "bf16", "f16")


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A network in ONNX: one image (1, 3, side, side) in, one matte (1, 1, side, side) out.

    `stretched`: each matte is stretched to [0, 1]. Not for networks whose values mean something by themselves.
    """

    version: int
    preprocessing: Preprocessing
    input: str
    output: str
    stretched: bool
    precisions: tuple[Precision, ...] = ("f32",)


def _imagenet(side: int) -> Preprocessing:
    return Preprocessing(side, divisor=255, mean=(0.485, 0.456, 0.406), scale=(0.229, 0.224, 0.225))


MODELS: Final[Mapping[str, InSPyReNetModel | OnnxModel]] = MappingProxyType(
    {
        "inspyrenet-base": InSPyReNetModel(1, _imagenet(1024), largest_batch=4),
        "inspyrenet-fast": InSPyReNetModel(1, _imagenet(384), largest_batch=16),
        "isnet-medium": OnnxModel(
            version=1,
            preprocessing=Preprocessing(1024, divisor=1, mean=(128, 128, 128), scale=(256, 256, 256)),
            input="input",
            output="output",
            stretched=False,
        ),
    }
)
"""By the name of their weights. `version` counts changes of the pre- and post-processing: raise it with every one."""


def model_of(weights: Weights) -> InSPyReNetModel | OnnxModel:
    """Raises `EngineUnavailableError` where no engine runs these weights."""
    try:
        return MODELS[weights.name]
    except KeyError:
        raise EngineUnavailableError(
            f"{weights.path}: no engine runs {weights.name!r}, only {', '.join(MODELS)}", name=weights.name
        ) from None


def precisions_of(weights: Weights, backend: Backend = "torch") -> tuple[Precision, ...]:
    """What a network can compute in with these weights: float32 can be rounded, and what was rounded stays so."""
    possible = model_of(weights).precisions if backend == "torch" else _OPENVINO_PRECISIONS
    return possible if weights.precision == "f32" else tuple({weights.precision}.intersection(possible))


def model_id(weights: Weights, precision: Precision = "f32", backend: Backend = "torch") -> str:
    """Part of the names of mattes and results, so that nothing computed otherwise is ever taken for theirs.

    `NAME-DIGEST-PRECISION-pVERSION`, of `[a-z0-9-]`; DIGEST is the first 12 hex digits of the weights' SHA-256, and
    `precision` is what the network computes in, after `ov` where OpenVINO does it. Raises `EngineUnavailableError`
    where it can't with these weights.
    """
    possible = precisions_of(weights, backend)
    if precision not in possible:
        those = " or ".join(possible) or "nothing else"
        raise EngineUnavailableError(
            f"{weights.path}, in {weights.precision}, computes in {those}, not in {precision}",
            path=str(weights.path),
            precision=precision,
        )
    prefix = "" if backend == "torch" else "ov"
    return f"{weights.name}-{weights.sha256[:12]}-{prefix}{precision}-p{model_of(weights).version}"
