"""The entry points for functions-framework: each name is a Cloud Function, built when it is asked for.

A function imports only what it needs: a light one must not pay for OpenCV in its cold start.
"""

from __future__ import annotations

import functools
import importlib
import os
import time
from typing import TYPE_CHECKING, Any, Final

import functions_framework

from functions.wiring import Parts

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTIONS: Final = (
    "delete_job",
    "deliver",
    "intents",
    "job_status",
    "notify",
    "on_alert",
    "on_dead_letter",
    "on_upload",
    "precompute",
    "reconcile_idle",
    "record_cost",
    "render",
    "request_upload",
    "restyle",
    "sweep_deliveries",
    "warm",
)

_PUBLIC: Final = frozenset({"delete_job", "intents", "job_status", "request_upload", "restyle"})
"""A shopper waits for their answer; the others may wait until their spans are sent."""

_BY_HTTP: Final = _PUBLIC | {"precompute", "reconcile_idle", "sweep_deliveries"}
"""The others take a CloudEvent, or the message of a Pub/Sub push, of which functions-framework makes one."""


@functools.cache
def __getattr__(name: str) -> Callable[..., Any]:
    """functions-framework asks for its target at start, whether it is there and then for it (PEP 562)."""
    if name not in FUNCTIONS:
        raise AttributeError(f"{name!r} is not one of the functions {', '.join(FUNCTIONS)}")
    began = time.perf_counter()
    parts = Parts(os.environ, function=name)
    handle = importlib.import_module(f"functions.{name}").build(parts)
    if parts.metrics is not None:
        parts.metrics.started({"build": time.perf_counter() - began})

    def function(argument: Any) -> Any:  # noqa: ANN401  # a flask.Request or a CloudEvent, by the function's trigger
        parts.telemetry.begin()
        try:
            return handle(argument)
        finally:
            if name not in _PUBLIC:
                parts.telemetry.flush()

    function.__name__ = name
    return function if name in _BY_HTTP else functions_framework.cloud_event(function)
