"""How much of an image is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from events.errors import TooLargeError, TooManyPixelsError

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds, inclusive: bytes of the file, pixels of the image, px of its longer side."""

    max_bytes: int = 31_457_280
    max_pixels: int = 50_000_000
    max_side: int = 16_384

    def check_bytes(self, size: int) -> None:
        """Raise `TooLargeError` for a file of `size` bytes that is over the limit."""
        if size > self.max_bytes:
            raise TooLargeError(
                f"bytes: {size}, at most {self.max_bytes}", field="bytes", value=size, limit=self.max_bytes
            )

    def check_size(self, width: int, height: int) -> None:
        """Raise `TooManyPixelsError` for an image of `width` x `height` px that is over a limit."""
        for field, value, limit in (
            ("width", width, self.max_side),
            ("height", height, self.max_side),
            ("pixels", width * height, self.max_pixels),
        ):
            if value > limit:
                raise TooManyPixelsError(f"{field}: {value}, at most {limit}", field=field, value=value, limit=limit)


DEFAULT_LIMITS: Final = Limits()
