from __future__ import annotations

from typing import NoReturn

from gpu_worker.metrics import WorkerMetrics


def test_the_gpus_memory_is_read_when_somebody_asks() -> None:
    metrics = WorkerMetrics()
    memory = [(24, 24)]
    metrics.watch_gpu(lambda: memory[0])
    memory[0] = (10, 24)
    assert metrics.registry.get_sample_value("cutout_gpu_memory_bytes", {"use": "free"}) == 10
    assert metrics.registry.get_sample_value("cutout_gpu_memory_bytes", {"use": "used"}) == 14


def test_without_a_gpu_there_is_no_such_number() -> None:
    assert b"gpu_memory" not in WorkerMetrics().exposition()


def test_a_broken_gpu_leaves_the_other_numbers_readable() -> None:
    def broken() -> NoReturn:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    metrics = WorkerMetrics()
    metrics.watch_gpu(broken)
    metrics.refused("overloaded")
    shown = metrics.exposition()
    assert b'cutout_pushes_refused_total{code="overloaded"} 1.0' in shown
    assert b"cutout_gpu_memory_bytes{" not in shown
