"""Overhead of everything but the network: from the end of the PUT to the notification, by stage.

`python -m bench.pipeline` starts the whole local stack with a network that takes no time, and submits photos one after
another: each new (`miss`), then each again (`hit`). Prints medians and 90th percentiles; writes JSON beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from events.messages import ResultCompleted
from local.notifications import Notification, Notifications
from local.stack import Stack
from local.storefront import Storefront

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["main"]

_GOALS: Final = {"miss": 0.250, "hit": 0.150}
"""Seconds at the median."""
_WARM_UP: Final = 3


def photos(count: int, side: int) -> Iterator[bytes]:
    """Different photo-like JPEGs of `side` x `side` px: smooth colours with a little noise."""
    rng = np.random.default_rng(7)
    for _ in range(count):
        coarse = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        noisy = np.asarray(image, np.int16) + rng.integers(-6, 7, (side, side, 3), dtype=np.int16)
        encoded = BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(encoded, "jpeg", quality=90)
        yield encoded.getvalue()


def measure(stack: Stack, images: Sequence[bytes]) -> list[tuple[Notification, float]]:
    """The notification of each photo, and when its PUT was complete."""
    measured = []
    with (
        Storefront(stack.api_url, stack.api_key) as storefront,
        Notifications(stack.project, stack.pubsub) as notifications,
    ):
        for image in images:
            job = storefront.upload(image, "image/jpeg", [{}])
            notification = notifications.wait_for(job.job_id, seconds=60)
            measured.append((notification, job.put_at or 0.0))
    return measured


def summary(measured: Sequence[tuple[Notification, float]]) -> dict[str, Any]:
    """Seconds: median and 90th percentile of the whole, medians of the stages."""
    totals = sorted(notification.received_at - put_at for notification, put_at in measured)
    stages: dict[str, list[float]] = {}
    for notification, _ in measured:
        told = notification.result
        if not isinstance(told, ResultCompleted):
            raise TypeError(f"a job failed: {told}")
        parts = told.timings | {"notify": notification.received_at - told.completed_at.timestamp()}
        for stage, seconds in parts.items():
            stages.setdefault(stage, []).append(seconds)
    return {
        "count": len(totals),
        "p50": statistics.median(totals),
        "p90": totals[int(0.9 * (len(totals) - 1))],
        "stages_p50": {stage: statistics.median(values) for stage, values in stages.items()},
    }


def show(cache: str, result: dict[str, Any]) -> None:
    goal = _GOALS[cache]
    verdict = "within" if result["p50"] < goal else "over"
    print(
        f"{cache}: p50 {1000 * result['p50']:.0f} ms, p90 {1000 * result['p90']:.0f} ms over {result['count']} photos"
    )
    print(f"  {verdict} the goal of {1000 * goal:.0f} ms")
    for stage, seconds in result["stages_p50"].items():
        print(f"  {stage:14} {1000 * seconds:7.1f} ms")


def main() -> int:
    """0 if both medians are within their goals, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=40, help="photos of each pass (default 40)")
    parser.add_argument("--side", type=int, default=640, help="px a side (default 640)")
    parser.add_argument("--out", type=Path, default=Path("bench/results/pipeline.json"))
    options = parser.parse_args()
    images = list(photos(options.photos + _WARM_UP, options.side))
    with tempfile.TemporaryDirectory() as state, Stack.instant(Path(state)) as stack:
        results = {}
        for cache in ("miss", "hit"):
            results[cache] = summary(measure(stack, images)[_WARM_UP:])
            show(cache, results[cache])
    report = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "side": options.side,
        **results,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(results[cache]["p50"] < goal for cache, goal in _GOALS.items()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
