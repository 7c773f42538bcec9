"""A photo that nobody has seen: the same picture with other bytes, so that no cache answers for the worker."""

from __future__ import annotations

from typing import Final

from events.errors import UnsupportedFormatError

__all__ = ["CONTENT_TYPE", "unseen"]

CONTENT_TYPE: Final = "image/jpeg"

_START: Final = b"\xff\xd8"
_COMMENT: Final = b"\xff\xfe"
_APPLICATION: Final = range(0xE0, 0xF0)


def unseen(jpeg: bytes, mark: str) -> bytes:
    """The JPEG with `mark` as a comment, behind the segments that must come first (ITU-T T.81, B.2.4.5).

    Raises `UnsupportedFormatError` for anything but a JPEG.
    """
    if not jpeg.startswith(_START):
        raise UnsupportedFormatError("the photo of a smoke test is a JPEG")
    end = len(_START)
    while jpeg[end] == 0xFF and jpeg[end + 1] in _APPLICATION:
        end += 2 + int.from_bytes(jpeg[end + 2 : end + 4])
    text = mark.encode()
    comment = _COMMENT + (len(text) + 2).to_bytes(2) + text
    return jpeg[:end] + comment + jpeg[end:]
