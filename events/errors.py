"""Failures of one type: a stable code, whether a retry may help, and the data that explains it.

Codes are part of the contract (`cutout.result.failed.v1` and HTTP answers carry them); never rename one.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AssetMissingError",
    "AssetUnusableError",
    "ConflictError",
    "ContentMismatchError",
    "CorruptImageError",
    "CutoutError",
    "DailyCapError",
    "ForbiddenError",
    "InvalidMessageError",
    "MatteMissingError",
    "NoForegroundError",
    "NotFoundError",
    "PermanentError",
    "PolyglotError",
    "TooLargeError",
    "TooManyPixelsError",
    "TransientError",
    "UnauthorizedError",
    "UnsupportedFormatError",
    "UnsupportedRecipeError",
    "UploadMissingError",
]


class CutoutError(Exception):
    """Base of every failure that Cutout itself reports."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = True

    def __init__(self, message: str, **data: object) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class TransientError(CutoutError):
    """Something outside the job failed; the same job may work later."""

    code = "temporarily_unavailable"


class MatteMissingError(TransientError, LookupError):
    """The matte that a job was to be rendered from is gone; the job needs a worker with a network."""

    code = "matte_missing"


class PermanentError(CutoutError):
    """The job can never work as it is: report it, acknowledge it, do not retry."""

    retryable = False


class InvalidMessageError(PermanentError, ValueError):
    """A message or request that breaks the contract. `fields` maps each bad field's path to what is wrong."""

    code = "invalid_message"

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in fields.items()), fields=fields)
        self.fields = fields


class TooLargeError(PermanentError, ValueError):
    """More bytes than the limit."""

    code = "too_large"


class TooManyPixelsError(PermanentError, ValueError):
    """More pixels, or a longer side, than the limit."""

    code = "too_many_pixels"


class UnsupportedFormatError(PermanentError, ValueError):
    """The content is not one of the image formats that are read."""

    code = "unsupported_format"


class CorruptImageError(PermanentError, ValueError):
    """The content starts as an image but can't be read as one."""

    code = "corrupt_image"


class PolyglotError(PermanentError, ValueError):
    """An image that is also a program, a document or an archive."""

    code = "polyglot"


class NoForegroundError(PermanentError, ValueError):
    """The network found nothing that stands out from the background."""

    code = "no_foreground"


class UnsupportedRecipeError(PermanentError, ValueError):
    """A well-formed recipe whose parts don't go together, such as JPEG without a background."""

    code = "unsupported_recipe"


class AssetMissingError(PermanentError, LookupError):
    """A recipe names an image that the tenant does not have."""

    code = "asset_missing"


class AssetUnusableError(PermanentError, ValueError):
    """A tenant's image that can't be read as one, or is not what its name says."""

    code = "asset_unusable"


class UploadMissingError(PermanentError, LookupError):
    """The upload that a job names is not there: expired, deleted, or never finished."""

    code = "upload_missing"


class ContentMismatchError(PermanentError, ValueError):
    """The bytes read are not those that the job was made for."""

    code = "content_mismatch"


class UnauthorizedError(PermanentError):
    """No key or token was given, or one that is none of ours."""

    code = "unauthorized"


class ForbiddenError(PermanentError):
    """A valid key or token, but not for this."""

    code = "forbidden"


class NotFoundError(PermanentError, LookupError):
    """There is no such job."""

    code = "not_found"


class ConflictError(PermanentError):
    """The job is not in a state that allows this."""

    code = "conflict"


class DailyCapError(PermanentError):
    """The tenant has spent what it may spend today."""

    code = "daily_cap_reached"
