"""Files out of the kernel's page cache, as a fresh container finds them."""

from __future__ import annotations

import ctypes
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["cached_share", "evict"]

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_CACHED: Final = b"\x01"


def evict(places: Iterable[Path]) -> None:
    """Drop these files, and all files in these folders, with posix_fadvise(2), which needs no privilege.

    Pages that some process has mapped stay; `cached_share` tells how much that is.
    """
    os.sync()  # a page that is not on the disk yet would stay
    for path in _files(places):
        with suppress(OSError):  # it may be gone by now
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def cached_share(places: Iterable[Path]) -> float:
    """Which part of the bytes of these files is in the page cache, 0 to 1, as mincore(2) says."""
    pages = cached = 0
    for path in _files(places):
        with suppress(OSError):
            vector = _residency(path)
            pages += len(vector)
            cached += vector.count(_CACHED)
    return cached / pages if pages else 0.0


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_file():
            yield place
        for folder, _, names in os.walk(place):
            yield from (path for name in names if (path := Path(folder, name)).is_file() and not path.is_symlink())


def _residency(path: Path) -> bytes:
    """A byte a page, the lowest bit of which says whether the page is in memory."""
    size = path.stat().st_size
    if size == 0:
        return b""  # nothing to map
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) as view:
        start = ctypes.c_char.from_buffer(view)  # a writable view is the only one whose address ctypes tells
        vector = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        failed = _LIBC.mincore(ctypes.byref(start), ctypes.c_size_t(size), vector)
        del start
    if failed:
        raise OSError(ctypes.get_errno(), "mincore", str(path))
    return vector.raw
