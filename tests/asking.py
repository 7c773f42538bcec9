"""Requests that wait as patiently as the rest of the tests: the default of httpx, 5 s, can pass on a busy machine."""

from __future__ import annotations

from functools import partial
from typing import Final

import httpx

from tests.waiting import PATIENCE

__all__ = ["get", "post", "put"]

get: Final = partial(httpx.get, timeout=PATIENCE)
post: Final = partial(httpx.post, timeout=PATIENCE)
put: Final = partial(httpx.put, timeout=PATIENCE)
