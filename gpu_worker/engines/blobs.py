"""Compiled networks, kept on disk: compiling one anew takes seconds to a minute at every start."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Blob"]

_LOG: Final = logging.getLogger(__name__)
_CODE: Final = Path(__file__).parents[1]


class Blob:
    """One compiled network's file, named after all that it was made of; another compiler or processor has another.

    The cache is a convenience: whatever is wrong with it is logged, and never fails a start.
    """

    def __init__(self, folder: Path, model: str, processor: str) -> None:
        """`model`: the id of its mattes, which tells weights and precision. `processor`: its name."""
        self._others = f"{model}-*.blob"
        self._path = folder / f"{model}-{_digest_of(processor)}.blob"

    def read(self) -> NDArray[np.uint8] | None:
        """The file's bytes, mapped; None where there is none."""
        try:
            return np.memmap(self._path, np.uint8, mode="r")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.distrust(error)
            return None

    def distrust(self, error: Exception) -> None:
        """Say that the file is of no use. A `write` replaces it."""
        _LOG.warning("compiled_network_unusable", extra={"path": str(self._path), "reason": str(error)})

    def write(self, content: bytes | memoryview) -> None:
        """Keep `content`, whole or not at all, in place of the same model's earlier ones."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".compiling-", dir=self._path.parent) as work:
                draft = Path(work, self._path.name)
                draft.write_bytes(content)
                for other in self._path.parent.glob(self._others):
                    other.unlink(missing_ok=True)
                draft.replace(self._path)
        except OSError as error:
            _LOG.warning("compiled_network_not_kept", extra={"path": str(self._path), "reason": str(error)})


def _digest_of(processor: str) -> str:
    """12 hex digits that change with the compiler, the processor, and the code that describes the network to it."""
    digest = hashlib.sha256(f"{version('openvino')} {processor}".encode())
    for source in sorted((_CODE / "inspyrenet").rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
