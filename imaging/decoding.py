"""A photo on its way to pixels: the few that a network looks at first, all of them beside its work."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from imaging.decode import decode, decode_reduced
from imaging.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from imaging.limits import Limits
    from imaging.photo import Photo

__all__ = ["Decoding"]


class Decoding:
    """For one thread. Both methods raise what `decode` raises."""

    def __init__(self, data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
        self._data = data
        self._limits = limits
        self._whole: Future[Photo] | None = None

    def reduced(self, least: int) -> Photo:
        """The photo with sides of at least `least` px, smaller than it is if there is a quick way to that.

        Then another thread begins with the whole photo at once.
        """
        photo = None if self._whole else decode_reduced(self._data, least, self._limits)
        if photo is None:
            return self.whole()
        self._whole = Future()
        threading.Thread(target=self._decode, args=(self._whole,), name="decode", daemon=True).start()
        return photo

    def whole(self) -> Photo:
        """The photo as `decode` gives it. Waits for it if it is being decoded."""
        if self._whole is None:
            self._whole = Future()
            self._decode(self._whole)
        return self._whole.result()

    def _decode(self, future: Future[Photo]) -> None:
        try:
            future.set_result(decode(self._data, self._limits))
        except BaseException as error:  # noqa: BLE001  # raised where the photo is waited for
            future.set_exception(error)
