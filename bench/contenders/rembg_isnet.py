"""rembg with isnet-general-use, as its documentation uses it, at its defaults. `U2NET_HOME` has the weights."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from rembg import new_session, remove

from bench.contenders.lines import answer

if TYPE_CHECKING:
    from pathlib import Path

    from onnxruntime import InferenceSession

    from bench.contenders.lines import Stages


class _TimedSession:
    """ONNX Runtime's session, timed, with its last output kept."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self.seconds = 0.0
        self.output: Any = None

    def get_inputs(self) -> object:
        return self._session.get_inputs()

    def run(self, *arguments: object) -> object:
        started = time.perf_counter()
        outputs = self._session.run(*arguments)
        self.seconds = time.perf_counter() - started
        self.output = outputs[0]
        return outputs


class Rembg:
    """A `Cutter`."""

    def __init__(self) -> None:
        self._session: Any = new_session("isnet-general-use")
        self._timed = self._session.inner_session = _TimedSession(self._session.inner_session)

    def cut(self, photo: bytes, stages: Stages) -> bytes:
        cutout: bytes = remove(photo, session=self._session)
        stages.seconds["network"] = self._timed.seconds
        return cutout

    def save_matte(self, path: Path) -> None:
        np.save(path, self._timed.output[0, 0])


if __name__ == "__main__":
    answer(Rembg)
