"""What the adapters of the Google APIs share: retries, deadlines, errors of ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from google.api_core.exceptions import (
    Aborted,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    GoogleAPIError,
    InternalServerError,
    InvalidArgument,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
)
from google.api_core.retry import Retry, if_exception_type
from google.api_core.timeout import ConstantTimeout
from google.auth.exceptions import GoogleAuthError

from events.errors import ConflictError, ForbiddenError, NotFoundError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TIMEOUT", "reporting", "retry"]

TIMEOUT: Final = ConstantTimeout(20.0)
_REPEATABLE: Final = if_exception_type(DeadlineExceeded, InternalServerError, ServiceUnavailable)


def retry(deadline: float) -> Retry:
    """For calls that may be repeated; none is begun after `deadline` seconds."""
    return Retry(predicate=_REPEATABLE, initial=0.2, maximum=5.0, multiplier=2.0, timeout=deadline)


@contextmanager
def reporting(what: str) -> Iterator[None]:
    """Every failure of the service, the network or the credentials as an error of ours."""
    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        message = f"can't {what}: {error}"
        if isinstance(error, Aborted | Conflict):
            raise ConflictError(message) from error
        if isinstance(error, NotFound):
            raise NotFoundError(message) from error
        if isinstance(error, Forbidden | Unauthorized):
            raise ForbiddenError(message) from error
        if isinstance(error, InvalidArgument):
            raise PermanentError(message) from error
        raise TransientError(message) from error
