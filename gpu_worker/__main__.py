"""`python -m gpu_worker`: the worker as Cloud Run starts it, settings from the environment."""

from __future__ import annotations

import os
import sys

from cloud.logs import configure
from gpu_worker.serve import serve
from gpu_worker.settings import Settings

if __name__ == "__main__":
    settings = Settings.from_env(os.environ)
    configure(settings.log_format, project=settings.project)

    def _load():  # type: ignore[no-untyped-def]  # noqa: ANN202  # typed by `serve`
        from gpu_worker.engines import load_engine  # noqa: PLC0415  # torch is imported after the port is bound

        return load_engine(settings)

    sys.exit(serve(settings, _load))
