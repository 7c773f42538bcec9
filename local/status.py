"""`python -m local status`: how the servers of a running stack are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from local.stack import StackInfo

__all__ = ["show_status"]


def show_status(info: StackInfo) -> int:
    """0 if every server answers, else 1."""
    console = Console()
    table = Table(title=f"{info.network} ({info.model})", title_justify="left")
    for column in ("server", "where", "state"):
        table.add_column(column, overflow="fold")
    checks = (
        ("page", info.page_url, f"{info.page_url}/"),
        ("API", info.api_url, f"{info.api_url}/healthz"),
        ("worker", info.worker_url, f"{info.worker_url}/health"),
        ("storage", info.storage_url, f"{info.storage_url}/_internal/healthcheck"),
        ("pubsub", info.pubsub, f"http://{info.pubsub}/"),
    )
    healthy = True
    for name, where, url in checks:
        good, state = _ask(url)
        healthy = healthy and good
        table.add_row(name, where, state if good else f"[red]{state}")
    console.print(table)
    return 0 if healthy else 1


def _ask(url: str) -> tuple[bool, str]:
    try:
        response = httpx.get(url, timeout=10)
    except httpx.HTTPError as error:
        return False, f"{type(error).__name__}: {error}"
    if response.headers.get("content-type", "").startswith("application/json") and "network" in response.text:
        told = response.json()
        megabytes = told["free_memory_bytes"] // 2**20
        return response.is_success, f"{told['status']}, storage {told['storage']}, {megabytes} MiB free"
    return response.is_success, "ok" if response.is_success else f"HTTP {response.status_code}"
