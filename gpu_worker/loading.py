"""The network that the settings ask for. Importing this is light, and so is asking for its model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_worker.engines import Engine
    from gpu_worker.settings import Settings

__all__ = ["Network", "load_network", "network_of"]

_BAKED: Final = Path("/weights")
"""Where the image keeps its weights."""
_LOCAL: Final = Path("weights")


class Network(NamedTuple):
    """`model` is that of the engine that `load` gives, and known without loading it."""

    model: str
    load: Callable[[], Engine]


def network_of(settings: Settings) -> Network:
    """For a process that has no other use for torch (`torch_for_inference`).

    Raises `WeightsError` where there are no such weights, `EngineUnavailableError` where they can't do that.
    """
    from gpu_worker.engines import load_engine, model_id  # noqa: PLC0415  # in a worker, after the port is bound
    from gpu_worker.weights import find_weights  # noqa: PLC0415

    weights = find_weights(settings.weights, _BAKED, _LOCAL, precision=settings.precision)
    load = partial(
        load_engine,
        weights,
        device=settings.device,
        precision=settings.precision,
        threads=settings.threads,
        backend=settings.backend,
        cache=settings.cache,
        inference_only=True,
    )
    return Network(model_id(weights, settings.precision, settings.backend), load)


def load_network(settings: Settings) -> Engine:
    """Raises besides, as `load_engine` does."""
    return network_of(settings).load()
