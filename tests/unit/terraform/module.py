"""What stands in the Terraform module, read without Terraform."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import hcl2

__all__ = ["MODULE", "local_values", "plain", "resources"]

MODULE: Final = Path(__file__).parents[3] / "terraform"


def local_values() -> dict[str, Any]:
    """Every local value by its name; an expression that is no literal is its text."""
    found: dict[str, Any] = {}
    for parsed in _files():
        for block in parsed.get("locals", ()):
            found |= plain(block)
    return found


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a kind by their names."""
    found: dict[str, dict[str, Any]] = {}
    for parsed in _files():
        for block in plain(parsed.get("resource", ())):
            found |= block.get(kind, {})
    return found


def plain(value: Any) -> Any:
    """Without the quotes and the notes that the parser leaves in."""
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in value.items() if not str(key).startswith("__")}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, str) and len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


@cache
def _files() -> tuple[dict[str, Any], ...]:
    parsed: list[dict[str, Any]] = []
    for path in sorted(MODULE.glob("*.tf")):
        with path.open(encoding="utf-8") as file:
            parsed.append(hcl2.load(file))
    return tuple(parsed)
