"""The same picture with other bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from events.errors import UnsupportedFormatError
from imaging.inspection import inspect
from imaging.limits import DEFAULT_LIMITS
from rollout.__main__ import PHOTO
from rollout.photo import unseen

if TYPE_CHECKING:
    from pathlib import Path

JPEGS = sorted(PHOTO.parent.glob("*.jpg"))


@pytest.mark.parametrize("path", JPEGS, ids=lambda path: path.name)
def test_a_marked_photo_is_the_same_picture(path: Path) -> None:
    photo = path.read_bytes()
    marked = unseen(photo, "019ab0d2-5f80-7abc-8def-0123456789ab")
    inspect(marked, DEFAULT_LIMITS)
    with Image.open(io.BytesIO(photo)) as before, Image.open(io.BytesIO(marked)) as after:
        assert isinstance(after, JpegImageFile)
        assert ("COM", b"019ab0d2-5f80-7abc-8def-0123456789ab") in after.applist
        assert np.array_equal(np.asarray(before), np.asarray(after))


def test_every_mark_makes_other_bytes() -> None:
    photo = PHOTO.read_bytes()
    assert len({photo, unseen(photo, "one"), unseen(photo, "two")}) == 3


def test_anything_but_a_jpeg_is_refused() -> None:
    with pytest.raises(UnsupportedFormatError):
        unseen(b"\x89PNG\r\n\x1a\n", "one")
