"""Which photos the benchmarks use. `bench.photos` makes them; this imports nothing that a contender imports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

__all__ = ["LOAD", "MEMORY", "SINGLE", "Picture"]

_SUBJECTS: Final = ("flower.jpg", "astronaut.jpg", "cat.jpg", "motorcycle.jpg", "coffee.webp", "rocket.jpg")


@dataclass(frozen=True, slots=True)
class Picture:
    """A file: `subject` of the sample photos, enlarged or reduced to so many million pixels."""

    subject: str
    megapixels: float
    extension: str = ".jpg"

    @property
    def name(self) -> str:
        return f"{PurePath(self.subject).stem}-{self.megapixels:.2f}mp{self.extension}"


def _spread(count: int, smallest: float, largest: float) -> tuple[Picture, ...]:
    """`count` pictures with sizes at equal ratios. The small ones come in all formats, the others as phones do."""
    pictures = []
    for index in range(count):
        megapixels = smallest * (largest / smallest) ** (index / (count - 1))
        extension = (".jpg", ".png", ".webp")[index % 3] if megapixels < 1 else ".jpg"
        pictures.append(Picture(_SUBJECTS[index % len(_SUBJECTS)], round(megapixels, 2), extension))
    return tuple(pictures)


SINGLE: Final = {megapixels: Picture("flower.jpg", megapixels) for megapixels in (1, 12, 48)}
"""By megapixels."""
LOAD: Final = _spread(20, 0.3, 12)
MEMORY: Final = _spread(24, 0.3, 48)
