from __future__ import annotations

import threading

import pytest
import torch

from gpu_worker.inspyrenet.lean.denormals import flushed_denormals
from gpu_worker.inspyrenet.lean.network import LeanNetwork

_TINY = torch.full((4,), 1e-39)
_MANY = torch.full((1 << 20,), 1e-39)
"""Enough for torch to share the work among threads."""


def test_numbers_next_to_zero_are_zero_within_and_themselves_after() -> None:
    with flushed_denormals():
        assert not (_TINY * 1).any()
    assert (_TINY * 1).all()


def test_threads_that_share_the_work_take_them_for_zero_too() -> None:
    nonzero = []

    def first_work_of_a_thread() -> None:
        with flushed_denormals():
            nonzero.append(int((_MANY * 1).count_nonzero()))

    thread = threading.Thread(target=first_work_of_a_thread)
    thread.start()
    thread.join()
    assert nonzero == [0]


def test_a_thread_that_did_so_before_goes_on() -> None:
    with flushed_denormals():
        with flushed_denormals():
            pass
        assert not (_TINY * 1).any()


def test_the_network_takes_them_for_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    network = object.__new__(LeanNetwork)
    nonzero = []

    def backbone(_images: torch.Tensor) -> list[torch.Tensor]:
        nonzero.append(int((_TINY * 1).count_nonzero()))
        raise RuntimeError("seen")

    monkeypatch.setattr(network, "_backbone", backbone, raising=False)
    with pytest.raises(RuntimeError, match="seen"):
        network(torch.zeros(1, 3, 32, 32))
    assert nonzero == [0]
