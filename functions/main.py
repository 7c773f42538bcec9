"""The entry points for functions-framework: each name is a Cloud Function, built when it is asked for.

A function imports only what it needs: a light one must not pay for OpenCV in its cold start.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Final

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


def __getattr__(name: str) -> Callable[..., Any]:
    """functions-framework asks for its target once, at start (PEP 562)."""
    if name not in FUNCTIONS:
        raise AttributeError(f"{name!r} is not one of the functions {', '.join(FUNCTIONS)}")
    handle = importlib.import_module(f"functions.{name}").build(Parts(os.environ))

    def function(argument: Any) -> Any:  # noqa: ANN401  # a flask.Request or a CloudEvent, by the function's trigger
        return handle(argument)

    function.__name__ = name
    return function
