"""How many photos fit into a GPU. There is none here: torch's answers about it are made up."""

from __future__ import annotations

import pytest
import torch

from gpu_worker.engines.memory import fitting_batch, measured_batch

GIB = 2**30


@pytest.mark.parametrize(
    ("free", "of_one", "largest", "batch"),
    [
        (20 * GIB, 4 * GIB, 16, 4),
        (20 * GIB, 4 * GIB, 3, 3),
        (19.9 * GIB, 4 * GIB, 16, 3),
        (GIB, 4 * GIB, 16, 1),
        (0, GIB, 16, 1),
        (20 * GIB, 0, 16, 16),
    ],
)
def test_as_many_photos_go_together_as_four_fifths_of_the_free_memory_hold(
    free: float, of_one: int, largest: int, batch: int
) -> None:
    assert fitting_batch(int(free), of_one, largest) == batch


class Gpu:
    """torch.cuda, of a GPU whose weights take 1 GiB; a pass takes 2 GiB, and the first leaves 3 more behind."""

    def __init__(self) -> None:
        self.kept = GIB
        self.peak = GIB
        self.passes = 0

    def __call__(self) -> None:
        self.passes += 1
        self.kept = 4 * GIB
        self.peak = max(self.peak, self.kept + 2 * GIB)

    def memory_allocated(self) -> int:
        return self.kept

    def max_memory_allocated(self) -> int:
        return self.peak

    def reset_peak_memory_stats(self) -> None:
        self.peak = self.kept

    def empty_cache(self) -> None:
        """It has none."""

    def mem_get_info(self) -> tuple[int, int]:
        return 16 * GIB - self.kept, 16 * GIB


def test_the_pass_of_one_photo_is_measured_without_what_the_first_one_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu()
    for name in ("memory_allocated", "max_memory_allocated", "reset_peak_memory_stats", "empty_cache", "mem_get_info"):
        monkeypatch.setattr(torch.cuda, name, getattr(gpu, name))
    assert measured_batch(gpu, 16) == 4  # of 12 GiB
    assert gpu.passes == 2
