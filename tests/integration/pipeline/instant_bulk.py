"""`python -m gpu_worker.bulk` with a network that takes `INSTANT_SECONDS` for a batch, of `INSTANT_BATCH` at most."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cloud.environment import Environment
from gpu_worker.bulk.__main__ import main
from gpu_worker.loading import Network
from local.instant_worker import MODEL, InstantEngine

if TYPE_CHECKING:
    from gpu_worker.engines import Engine
    from gpu_worker.settings import Settings


def load() -> Engine:
    env = Environment(os.environ)
    return InstantEngine(
        largest_batch=env.integer("INSTANT_BATCH", default=2), seconds=env.number("INSTANT_SECONDS", default=0.0)
    )


def instant(_settings: Settings) -> Network:
    return Network(MODEL, load)


if __name__ == "__main__":
    status = main(network_of=instant)
    sys.stdout.flush()
    os._exit(status)
