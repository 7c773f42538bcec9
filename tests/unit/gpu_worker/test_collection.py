from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from gpu_worker.collection import without_collection

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_within_and_what_was_made_is_left_alone_after() -> None:
    with without_collection():
        assert not gc.isenabled()
        made = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= len(made)


def test_the_outer_one_counts() -> None:
    with without_collection():
        with without_collection():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_start_that_fails_has_collection_back() -> None:
    with pytest.raises(ValueError, match="no weights"), without_collection():
        raise ValueError("no weights")
    assert gc.isenabled()
