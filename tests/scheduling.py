"""Which tests run in one process, where there are several: those of a folder that starts servers for them all.

They stay in the order in which they were collected, so that the quick ones come first; but of the folders, those that
take minutes come before those that take seconds, so that no process is left with a long one in the end.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

__all__ = ["FolderScheduling", "long_ones_first", "unit_of"]

_LONG: Final = tuple(
    f"tests/integration/{name}" for name in ("costs", "terraform", "pipeline", "dead_letters", "images")
)
"""Minutes each, where others take seconds."""


def unit_of(nodeid: str) -> str:
    """The test's file where it is a unit test, else its folder."""
    file = PurePosixPath(nodeid.partition("::")[0])
    return str(file if file.is_relative_to("tests/unit") else file.parent)


def long_ones_first(items: list[Any]) -> None:
    """Put the tests of the integration folders that take longest before the others of that folder's kind."""
    items.sort(key=lambda item: _turn(unit_of(item.nodeid)))


def _turn(unit: str) -> int:
    if not unit.startswith("tests/integration/"):
        return 0
    return 1 if unit in _LONG else 2


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
