"""Runs bqemulator without its time travel: a program for the emulator's own virtual environment, run by its path.

For time travel it copies a table after every insert, which makes a thousand inserts cost a thousand copies; we never
ask for the past. It takes bqemulator's arguments.
"""

from __future__ import annotations

import sys

from bqemulator.cli import main  # type: ignore[import-not-found]  # installed only there
from bqemulator.versioning.snapshots import SnapshotManager  # type: ignore[import-not-found]


def _no_snapshot(*_table: str, **_options: str) -> None:
    """As the original does it for a table that is gone."""


if __name__ == "__main__":
    SnapshotManager.capture = _no_snapshot
    sys.exit(main())
