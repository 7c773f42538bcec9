"""Events as they arrived: recorded from the running local cloud, as `{"headers": ..., "body": ...}` of the request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["load_event"]


def load_event(name: str) -> dict[str, Any]:
    """The recorded request of that name: `headers`, and the JSON `body`."""
    loaded: dict[str, Any] = json.loads((Path(__file__).parent / f"{name}.json").read_text())
    return loaded
