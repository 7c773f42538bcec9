"""How weights fail."""

from __future__ import annotations

from typing import ClassVar

from events.errors import CutoutError

__all__ = ["UnreachableError", "WeightsError", "WeightsMissingError"]


class WeightsError(CutoutError, ValueError):
    """Weights that are not what they are said to be."""

    code: ClassVar[str] = "weights_invalid"
    retryable: ClassVar[bool] = False


class WeightsMissingError(WeightsError, LookupError):
    """No weights where they were looked for."""

    code: ClassVar[str] = "weights_missing"


class UnreachableError(WeightsError):
    """The place that weights come from can't be reached from here."""

    code: ClassVar[str] = "weights_unreachable"
