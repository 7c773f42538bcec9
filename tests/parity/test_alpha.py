"""From a photo to its alpha at full size: the whole path, against the original's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_worker.engines import load_engine
from gpu_worker.weights import Checkpoint, fetch_checkpoint
from tests.parity.photos import photo
from tests.parity.reference import reference_remover

if TYPE_CHECKING:
    import shutil
    from pathlib import Path


def test_placeholder() -> None: ...
