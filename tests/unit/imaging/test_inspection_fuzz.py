"""Whatever the bytes are, inspection and decode answer or refuse; nothing unexpected escapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.errors import CutoutError
from imaging.decode import decode
from imaging.inspection import SNIFF_BYTES, inspect, sniff
from imaging.limits import Limits
from tests.unit.imaging.image_files import WHOLE_FILES, heif_structure, photo, tiff

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL: Final = Limits(max_bytes=1_000_000, max_pixels=1_000_000, max_side=4096)

SEEDS: Final = [
    *(make(photo(48, 40)) for make in WHOLE_FILES.values()),
    heif_structure(48, 40),
    tiff([(256, 3, 1, 7), (257, 4, 1, 5), (273, 4, 1, 8), (279, 4, 1, 35)], order=">"),
]

HEADS: Final = sorted({seed[:size] for seed in SEEDS for size in (4, 12, 16, 32)})

thorough = settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
quick = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A whole file after up to six edits: bytes and big integers overwritten, parts cut, repeated or moved."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(data) - 1, 0)) | st.integers(0, min(64, max(len(data) - 1, 0))))
        edit = draw(st.sampled_from(("byte", "extreme", "cut", "repeat", "insert")))
        if edit == "byte":
            data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif edit == "extreme":
            value = draw(
                st.sampled_from((b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x00\x00\x00\x01", b"\x80\x00"))
            )
            data[at : at + len(value)] = value
        elif edit == "cut":
            del data[at : at + draw(st.integers(1, 200))]
        elif edit == "repeat":
            data[at:at] = data[at : at + draw(st.integers(1, 100))]
        else:
            data[at:at] = draw(st.binary(max_size=40))
    return bytes(data)


anything = (
    st.binary(max_size=400) | st.builds(bytes.__add__, st.sampled_from(HEADS), st.binary(max_size=400)) | damaged()
)


def answers_or_refuses(read: Callable[[bytes, Limits], object], data: bytes) -> None:
    try:
        outcome = read(data, SMALL)
    except CutoutError as error:
        outcome = error.message if not error.retryable else ""
    assert outcome


@thorough
@given(anything)
def test_inspection_of_any_bytes_answers_or_refuses(data: bytes) -> None:
    answers_or_refuses(inspect, data)


@thorough
@given(damaged())
def test_what_inspection_reports_holds(data: bytes) -> None:
    try:
        info = inspect(data, SMALL)
    except CutoutError:
        return
    assert info.format == sniff(data[:SNIFF_BYTES])
    assert 0 < info.end <= len(data)
    assert 0 < info.width <= SMALL.max_side
    assert 0 < info.width * info.height <= SMALL.max_pixels


@quick
@pytest.mark.filterwarnings("ignore")  # Pillow warns of odd TIFF tags and reads on
@given(damaged())
def test_decode_of_a_damaged_file_answers_or_refuses(data: bytes) -> None:
    answers_or_refuses(decode, data)


@quick
@given(damaged())
def test_pillow_warnings_as_errors_are_refusals_too(data: bytes) -> None:
    answers_or_refuses(decode, data)
