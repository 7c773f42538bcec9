"""`python -m gpu_worker`: the worker as Cloud Run starts it, settings from the environment."""

from __future__ import annotations

import os
from functools import partial
from typing import NoReturn

from cloud.logs import configure
from gpu_worker.heap import touch_heap
from gpu_worker.loading import load_network
from gpu_worker.serve import serve
from gpu_worker.settings import Settings


def main() -> NoReturn:
    settings = Settings.from_env(os.environ)
    configure(settings.log_format, project=settings.project)
    if settings.device == "cpu":
        touch_heap()
    serve(settings, partial(load_network, settings))


if __name__ == "__main__":
    main()
