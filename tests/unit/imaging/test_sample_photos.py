"""The photos that come with the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from PIL import Image

from imaging.decode import decode
from imaging.inspection import inspect
from tests.unit.imaging.scenes import PHOTOS

if TYPE_CHECKING:
    from pathlib import Path

FILES: Final = sorted(path for path in PHOTOS.iterdir() if path.suffix != ".md")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_sample_photo_decodes_and_its_licence_is_written_down(path: Path) -> None:
    data = path.read_bytes()
    assert inspect(data).end == len(data)
    assert decode(data).width >= 300
    assert f"`{path.name}`" in (PHOTOS / "LICENSES.md").read_text()


def test_the_samples_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in FILES) < 2_500_000


def test_the_phone_photo_lies_on_its_side_and_tells_where_it_was_taken() -> None:
    path = PHOTOS / "phone-portrait.jpg"
    with Image.open(path) as image:
        assert image.getexif()[0x0112] == 6
        assert image.getexif().get_ifd(0x8825)
    decoded = decode(path.read_bytes())
    assert (decoded.width, decoded.height) == (384, 512)


def test_the_round_photo_has_its_own_alpha() -> None:
    alpha = decode((PHOTOS / "coffee-round.png").read_bytes()).alpha
    assert alpha is not None
    assert (alpha[0, 0], alpha[200, 200]) == (0, 255)
