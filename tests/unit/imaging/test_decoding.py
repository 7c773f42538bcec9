"""A photo in two sizes, the whole one beside whoever looks at the smaller one."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PIL import Image

from events.errors import CorruptImageError
from imaging import decoding
from imaging.decode import decode
from imaging.decoding import Decoding
from tests.unit.imaging.image_files import quadrants, saved

JPEG = saved(Image.fromarray(quadrants(400, 304)), "JPEG", quality=95)


def test_a_large_jpeg_is_there_in_both_sizes() -> None:
    pixels = Decoding(JPEG)
    assert pixels.reduced(150).rgb.shape == (152, 200, 3)
    assert np.array_equal(pixels.whole().rgb, decode(JPEG).rgb)
    assert pixels.whole() is pixels.whole()
    assert pixels.reduced(150) is pixels.whole()


def test_the_smaller_one_does_not_wait_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def slow(*arguments: object) -> object:
        assert gate.wait(10)
        return decode(*arguments)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(decoding, "decode", slow)
    pixels = Decoding(JPEG)
    assert pixels.reduced(100).rgb.shape == (152, 200, 3)
    gate.set()
    assert pixels.whole().rgb.shape == (304, 400, 3)


@pytest.mark.parametrize("data", [JPEG, saved(Image.fromarray(quadrants(400, 304)), "PNG")])
def test_what_can_not_be_reduced_so_far_is_whole(data: bytes) -> None:
    pixels = Decoding(data)
    assert pixels.reduced(200) is pixels.whole()
    assert pixels.whole().rgb.shape == (304, 400, 3)


def test_a_broken_photo_is_refused_whoever_asks() -> None:
    headless = JPEG[:300] + b"\xff\xd9"
    with pytest.raises(CorruptImageError):
        Decoding(headless).reduced(100)
    with pytest.raises(CorruptImageError):
        Decoding(headless).whole()


def test_a_whole_photo_that_fails_alone_fails_where_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_arguments: object) -> object:
        raise MemoryError

    monkeypatch.setattr(decoding, "decode", failing)
    pixels = Decoding(JPEG)
    pixels.reduced(100)
    with pytest.raises(MemoryError):
        pixels.whole()
