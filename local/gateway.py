"""The functions under functions-framework, several in one process: what the load balancer does in the cloud.

Each function is the app that `functions_framework.create_app` makes of it, as in the cloud; only the routing is ours.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from functions_framework import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Environ = dict[str, Any]
    Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

__all__ = ["api", "events"]

_SOURCE: Final = str(Path(__file__).parent.parent / "functions" / "main.py")
_JOB: Final = re.compile(r"/jobs/[^/]+/?")


def api() -> Wsgi:
    """The public functions, by path and method."""
    names = ("request_upload", "restyle", "job_status", "delete_job", "intents")
    functions = {name: create_app(name, _SOURCE, "http") for name in names}

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        name = _public_function(environ["PATH_INFO"], environ["REQUEST_METHOD"])
        return _forward(functions.get(name), environ, start_response)

    return application


def events() -> Wsgi:
    """The functions that answer events, each under its name."""
    names = ("on_upload", "render", "notify", "deliver", "on_alert", "on_dead_letter", "record_cost", "warm")
    functions = {f"/{name}": create_app(name, _SOURCE, "cloudevent") for name in names}
    scheduled = ("sweep_deliveries", "reconcile_idle", "precompute")
    functions |= {f"/{name}": create_app(name, _SOURCE, "http") for name in scheduled}

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        function = functions.get(environ["PATH_INFO"].rstrip("/"))
        return _forward(
            function, environ if environ["PATH_INFO"] == "/healthz" else environ | {"PATH_INFO": "/"}, start_response
        )

    return application


def _public_function(path: str, method: str) -> str:
    if path.rstrip("/") == "/uploads":
        return "request_upload"
    if path.rstrip("/") == "/jobs":
        return "restyle"
    if path.rstrip("/") == "/intents":
        return "intents"
    if _JOB.fullmatch(path):
        return "delete_job" if method == "DELETE" else "job_status"
    return ""


def _forward(function: Wsgi | None, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/healthz":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]
    if function is None:
        start_response("404 Not Found", [("Content-Type", "application/json")])
        return [b'{"error":{"code":"not_found","message":"there is nothing at this path","retryable":false}}']
    return function(environ, start_response)
