"""`python -m gpu_worker`: the worker as Cloud Run starts it, settings from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from cloud.logs import configure
from gpu_worker.serve import serve
from gpu_worker.settings import Settings

if TYPE_CHECKING:
    from gpu_worker.engines import Engine

_BAKED: Final = Path("/weights")
"""Where the image keeps its weights."""
_LOCAL: Final = Path("weights")


def main() -> NoReturn:
    settings = Settings.from_env(os.environ)
    configure(settings.log_format, project=settings.project)

    def load() -> Engine:
        from gpu_worker.engines import load_engine  # noqa: PLC0415  # after the port is bound
        from gpu_worker.weights import find_weights  # noqa: PLC0415

        weights = find_weights(settings.weights, _BAKED, _LOCAL, precision=settings.precision)
        return load_engine(
            weights,
            device=settings.device,
            precision=settings.precision,
            threads=settings.threads,
            backend=settings.backend,
            cache=settings.cache,
        )

    serve(settings, load)


if __name__ == "__main__":
    main()
