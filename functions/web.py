"""HTTP for the public functions: errors as JSON, CORS for the storefronts' origins, credentials from headers."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

import flask
import msgspec

from events.errors import (
    ConflictError,
    CutoutError,
    DailyCapError,
    ForbiddenError,
    InvalidMessageError,
    NotFoundError,
    PermanentError,
    TooLargeError,
    UnauthorizedError,
    UnsupportedFormatError,
)
from events.names import JOB_ID_PATTERN
from events.validation import decode_json
from functions.rate_limits import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.rate_limits import RateLimits
    from functions.tenants import Tenants

__all__ = ["answer", "bearer_token", "body", "endpoint", "job_id_of", "origin_of"]

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)
_STATUS: Final[tuple[tuple[type[CutoutError], HTTPStatus], ...]] = (
    (UnauthorizedError, HTTPStatus.UNAUTHORIZED),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (DailyCapError, HTTPStatus.TOO_MANY_REQUESTS),
    (RateLimitedError, HTTPStatus.TOO_MANY_REQUESTS),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (UnsupportedFormatError, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (PermanentError, HTTPStatus.BAD_REQUEST),
    (CutoutError, HTTPStatus.SERVICE_UNAVAILABLE),
)
_MAX_BODY: Final = 65_536
_EXPOSED: Final = "X-Cache-Status, Retry-After, RateLimit, RateLimit-Policy, Location"


def endpoint(
    handle: Callable[[flask.Request], flask.Response],
    *,
    methods: tuple[str, ...],
    tenants: Tenants,
    limits: RateLimits,
) -> Callable[[flask.Request], flask.Response]:
    """`handle` as a Cloud Function: preflights, the method, rate limits, errors and CORS are dealt with around it.

    Preflights are not limited: a browser that may not ask could not be told why either.
    """

    def function(request: flask.Request) -> flask.Response:
        if request.method == "OPTIONS":
            return _preflight(request, tenants)
        response = _handled(request, handle, methods, limits)
        response.headers.update(limits.headers(request))
        return _with_cors(response, request, tenants)

    return function


def answer(value: object, status: HTTPStatus, headers: Mapping[str, str] | None = None) -> flask.Response:
    """JSON that no cache keeps: it carries tokens and signed URLs."""
    response = flask.Response(msgspec.json.encode(value), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    return response


def body(request: flask.Request, kind: type[T]) -> T:
    """The request's JSON. Raises `InvalidMessageError` naming every invalid field."""
    data = request.stream.read(_MAX_BODY + 1)
    if len(data) > _MAX_BODY:
        raise InvalidMessageError({"$": f"the request body has more than {_MAX_BODY} bytes"})
    return decode_json(data, kind)


def bearer_token(request: flask.Request) -> str:
    """The job's token. Raises `UnauthorizedError`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthorizedError("the header Authorization: Bearer JOB_TOKEN is missing")
    return token.strip()


def origin_of(request: flask.Request) -> str | None:
    return request.headers.get("Origin")


def job_id_of(request: flask.Request) -> str:
    """The last part of the path. Raises `NotFoundError` for what can't be a job's id."""
    job_id = request.path.rstrip("/").rpartition("/")[2]
    if re.fullmatch(JOB_ID_PATTERN, job_id) is None:
        raise NotFoundError("there is no such job")
    return job_id


def _handled(
    request: flask.Request,
    handle: Callable[[flask.Request], flask.Response],
    methods: tuple[str, ...],
    limits: RateLimits,
) -> flask.Response:
    if request.method not in methods:
        problem = {"code": "method_not_allowed", "message": f"use {' or '.join(methods)}", "retryable": False}
        return answer({"error": problem}, HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": ", ".join(methods)})
    try:
        limits.count_address(request)
        return handle(request)
    except CutoutError as error:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        _LOG.info("request_refused", extra={"code": error.code, "status": status.value, "path": request.path})
        return _refusal(error, status)


def _refusal(error: CutoutError, status: HTTPStatus) -> flask.Response:
    problem: dict[str, Any] = {"code": error.code, "message": error.message, "retryable": error.retryable}
    if isinstance(error, InvalidMessageError):
        problem["fields"] = error.fields
    if isinstance(error, RateLimitedError):
        problem["limit"] = error.limit
    headers = {}
    if "retry_after_seconds" in error.data or status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(error.data.get("retry_after_seconds", 5))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return answer({"error": problem}, status, headers)


def _preflight(request: flask.Request, tenants: Tenants) -> flask.Response:
    """The same for every function: one path may belong to several, told apart by the method."""
    response = flask.Response(status=HTTPStatus.NO_CONTENT)
    response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE, OPTIONS"
    response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, X-Api-Key, traceparent"
    response.headers["Access-Control-Max-Age"] = "3600"
    return _with_cors(response, request, tenants)


def _with_cors(response: flask.Response, request: flask.Request, tenants: Tenants) -> flask.Response:
    """Every answer varies by origin. A page of an unknown origin gets an answer that its browser won't show it."""
    response.headers["Vary"] = "Origin"
    origin = origin_of(request)
    if origin is not None and tenants.allows(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    return response
