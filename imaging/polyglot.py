"""Refuses an image that is also a program, a document or an archive.

Compressed pixels look like random bytes, so a short signature turns up in them by accident. Text is therefore
searched only outside of pixel data, and only as patterns long enough to be no accident even in a phone's appended
video (six bytes: once in some 10^7 photos of 5 MB of it). Everything shorter must stand exactly where it would work:
at the start of the trailing bytes, or as an archive directory whose fields agree with the file.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from events.errors import PolyglotError
from imaging.formats.layout import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imaging.formats.layout import Layout

__all__ = ["refuse_polyglot"]

_PDF_WINDOW: Final = 1024  # PDF readers accept the header anywhere in here
_ZIP_WINDOW: Final = 65_557  # the end-of-directory record and its longest comment
_ZIP_RECORD: Final = 22

_TEXT: Final = re.compile(rb"<(?:\?php[ \t\r\n]|script[ \t\r\n/>])", re.IGNORECASE)
_UNPADDED: Final = re.compile(rb"[^\x00 \t\r\n]")
_ARCHIVES: Final = {b"Rar!\x1a\x07": "a RAR archive", b"7z\xbc\xaf\x27\x1c": "a 7z archive"}
_TRAILING: Final = {
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b\x08": "a gzip archive",
    b"\x7fELF": "an ELF program",
    b"\xfe\xed\xfa\xce": "a Mach-O program",
    b"\xfe\xed\xfa\xcf": "a Mach-O program",
    b"\xce\xfa\xed\xfe": "a Mach-O program",
    b"\xcf\xfa\xed\xfe": "a Mach-O program",
    b"\xca\xfe\xba\xbe": "a Java class",
    b"#!/": "a script",
    b"%!ps": "a PostScript document",
    b"%pdf-": "a PDF document",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<svg": "an SVG document",
    b"<?xml": "an XML document",
}


def refuse_polyglot(data: bytes, layout: Layout) -> None:
    """Raise `PolyglotError` that names what else the file is. Nothing of the file is copied."""
    found = (
        _document(data)
        or _trailing_start(data, layout.end)
        or _archive(data, layout.end)
        or next(filter(None, (_markup(data, part) for part in _outside_pixels(data, layout))), None)
    )
    if found:
        raise PolyglotError(f"the image is also {found}", found=found)


def _document(data: bytes) -> str | None:
    return "a PDF document" if b"%PDF-" in data[:_PDF_WINDOW] else None


def _trailing_start(data: bytes, end: int) -> str | None:
    first = _UNPADDED.search(data, end)
    if first is None:
        return None
    head = data[first.start() : first.start() + 16].lower()
    for signature, name in _TRAILING.items():
        if head.startswith(signature.lower()):
            return name
    return "a Windows program" if _is_windows_program(data, first.start()) else None


def _is_windows_program(data: bytes, start: int) -> bool:
    """`MZ` alone is two bytes; the header it points to makes it a program."""
    if not data.startswith(b"MZ", start) or len(data) < start + 64:
        return False
    (offset,) = struct.unpack_from("<I", data, start + 60)
    return data.startswith(b"PE\x00\x00", start + offset)


def _archive(data: bytes, end: int) -> str | None:
    for signature, name in _ARCHIVES.items():
        if data.find(signature, end) >= 0:
            return name
    return "a ZIP archive" if any(_zip_records(data[-_ZIP_WINDOW:])) else None


def _zip_records(window: bytes) -> Iterator[bool]:
    """For each possible end-of-directory record: does it end where its comment says, and follow a directory?"""
    position = window.rfind(b"PK\x05\x06")
    while position >= 0:
        if position + _ZIP_RECORD <= len(window):
            disk, entries, size, comment = struct.unpack_from("<4xH4xHI4xH", window, position)
            directory = window.startswith(b"PK\x01\x02", max(position - size, 0))
            zip64 = window.startswith(b"PK\x06\x07", max(position - 20, 0))
            fits = position + _ZIP_RECORD + comment <= len(window)
            yield zip64 or (disk == 0 and fits and (directory or position < size or entries == 0))
        position = window.rfind(b"PK\x05\x06", 0, position)


def _outside_pixels(data: bytes, layout: Layout) -> Iterator[Span]:
    start = 0
    for span in layout.pixels:
        yield Span(start, span.start)
        start = max(start, span.stop)
    yield Span(start, len(data))


def _markup(data: bytes, part: Span) -> str | None:
    match = _TEXT.search(data, part.start, part.stop)
    if match is None:
        return None
    return "a PHP program" if match[0][1:2] == b"?" else "a web page"
