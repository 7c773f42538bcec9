"""Which tests run in one process, where there are several: those of a folder that starts servers for them all.

They stay in the order in which they were collected, so that the quick ones come first.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

__all__ = ["FolderScheduling", "unit_of"]


def unit_of(nodeid: str) -> str:
    """The test's file where it is a unit test, else its folder."""
    file = PurePosixPath(nodeid.partition("::")[0])
    return str(file if file.is_relative_to("tests/unit") else file.parent)


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
