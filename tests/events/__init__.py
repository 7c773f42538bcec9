"""Events as they arrived: recorded from the running local cloud, as `{"headers": ..., "body": ...}` of the request.

`incident_*` are notifications of Cloud Monitoring alone, as they stand in a message's data: schema 1.2 as documented at
https://cloud.google.com/monitoring/support/notification-options, and the message that the console sends as a test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["load_event"]


def load_event(name: str) -> dict[str, Any]:
    """The recorded request of that name: `headers`, and the JSON `body`."""
    loaded: dict[str, Any] = json.loads((Path(__file__).parent / f"{name}.json").read_text())
    return loaded
