"""What the worker needs from a network, and how a network fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from events.errors import CutoutError, TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BatchTooLargeError", "Engine", "EngineUnavailableError", "NetworkFailedError"]


class EngineUnavailableError(CutoutError, RuntimeError):
    """The engine can't start as it was told to, such as on a device that is not there. It never falls back."""

    code: ClassVar[str] = "engine_unavailable"
    retryable: ClassVar[bool] = False


class NetworkFailedError(TransientError, ArithmeticError):
    """A pass gave something else than a matte. The device may be broken: the worker is not healthy."""


class BatchTooLargeError(TransientError, MemoryError):
    """The batch did not fit into the device's memory; a smaller one may."""


class Engine(Protocol):
    """A network with its own pre- and post-processing, ready to run.

    `prepare` and `finish` may run in any thread, beside `infer`; `infer` runs in one thread at a time.
    """

    @property
    def name(self) -> str:
        """Shown to people, such as `inspyrenet-base`."""

    @property
    def model(self) -> str:
        """Part of object names: weights, precision and version of the pre- and post-processing; `[a-z0-9-]`."""

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""

    @property
    def largest_batch(self) -> int:
        """Most images that `infer` takes at once."""

    @property
    def side(self) -> int:
        """Of the network's square input, px: a photo reduced to no less looks the same to it."""

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """An upright photo, (H, W, 3) sRGB -> the network's input for it, (3, side, side)."""

    def probe(self) -> NDArray[np.float32]:
        """An input that takes `infer` through all that it does for a photo: to warm up, to tell whether it works."""

    def infer(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Prepared photos -> a matte each, (side, side) in [0, 1], that doesn't depend on its neighbours.

        Raises `BatchTooLargeError` where the device's memory does not do, `NetworkFailedError` where a matte is
        not finite, and ValueError for more than `largest_batch`.
        """

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        """A matte of `infer` -> alpha of the photo, (height, width), 0 to 255."""
