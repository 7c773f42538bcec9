"""A Dockerfile's own instructions carried out without an engine: each stage is a folder, Python a clean environment.

Only what the worker's Dockerfile uses. Commands run as they stand there, but for the paths of the image, which are put
below the stage's folder, and for the flags of RUN, which only concern the builder. What a stage has from the stage that
it is built on is not copied: the variables of that one name it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.unit.images.dockerfile import copy_from_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.unit.images.dockerfile import Copy, Dockerfile, Stage

__all__ = ["Replay"]

_PLACES: Final = re.compile(r"(?<![\w./-])/(?=(?:app|build|opt|weights)\b)")
"""Where paths of the image begin. The system's own, such as /root, are left as they are."""
_OF_PYTHON: Final = re.compile("PYTHON.*|VIRTUAL_ENV")


class Replay:
    """`instead` are texts of commands and what takes their place: what can't be had without the world outside."""

    def __init__(self, dockerfile: Dockerfile, folder: Path, instead: Mapping[str, str]) -> None:
        self._dockerfile = dockerfile
        self._folder = folder
        self._instead = dict(instead)
        self._bin = folder / "python" / "bin"
        self._lock = threading.Lock()
        self._built: dict[str, Future[Path]] = {}
        subprocess.run([sys.executable, "-m", "venv", self._bin.parent], check=True)

    @property
    def worker(self) -> Stage:
        """The stage that is the image."""
        return self._dockerfile.last

    def root(self, stage: Stage) -> Path:
        """The folder that stands for the stage's `/`."""
        return self._folder / "stages" / stage.name

    def places(self, stage: Stage, path: str) -> tuple[Path, Path]:
        """A folder of the stage: where it stands, and where it was made, which is where Python may say it is."""
        place = self.root(stage) / path
        return place, place.resolve()

    def build(self, stage: Stage) -> Path:
        """Carry a stage out, after those that it takes from, these at once as BuildKit does it. Its root."""
        with self._lock:
            first = stage.name not in self._built
            built = self._built.setdefault(stage.name, Future())
        if first:
            try:
                built.set_result(self._carry_out(stage))
            except BaseException as error:
                built.set_exception(error)
                raise
        return built.result()

    def _carry_out(self, stage: Stage) -> Path:
        stages = self._dockerfile.stages
        needed = [stages[copy.stage] for copy in stage.copies() if copy.stage is not None]
        needed += [stages[stage.base]] if stage.base in stages else []
        with ThreadPoolExecutor(max(1, len(needed))) as builders:
            list(builders.map(self.build, needed))
        root = self.root(stage)
        root.mkdir(parents=True)
        copies = iter(stage.copies())
        for instruction in stage.instructions:
            if instruction.name == "COPY":
                self._copy(stage, next(copies))
            elif instruction.name == "RUN" and "useradd" not in instruction.value:
                self._run(stage, instruction.value)
        return root

    def environment(self, stage: Stage) -> dict[str, str]:
        """What ENV sets in the stage and in those that it is built on, for this machine's places."""
        base = self._dockerfile.stages.get(stage.base)
        inherited = {} if base is None else self.environment(base)
        own = {name: self._placed(stage, value) for name, value in stage.environment().items()}
        return inherited | own | {"PATH": f"{self._bin}:{os.environ['PATH']}"}

    def command(self, stage: Stage, *arguments: str) -> list[str]:
        """The stage's CMD, or another one, for `subprocess`."""
        program, *rest = arguments or stage.command()
        return [str(self._bin / program), *rest]

    def working_folder(self, stage: Stage) -> Path:
        [value] = stage.values("WORKDIR")
        return Path(self._placed(stage, value))

    def _run(self, stage: Stage, value: str) -> None:
        command = re.sub(r"^(--\S+ )+", "", value)
        for text, other in self._instead.items():
            command = command.replace(text, other)
        outside = {name: text for name, text in os.environ.items() if not _OF_PYTHON.fullmatch(name)}
        done = subprocess.run(
            ["/bin/sh", "-c", self._placed(stage, command)],
            env=outside | self._dockerfile.stage_arguments(stage) | self.environment(stage),
            cwd=self.root(stage),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{stage.name}: {command}\n{done.stdout[-4000:]}"

    def _copy(self, stage: Stage, copy: Copy) -> None:
        target = self.root(stage) / copy.target.lstrip("/")
        if copy.stage is None:
            copy_from_context(copy, target)
            return
        origin = self.build(self._dockerfile.stages[copy.stage])
        [source] = copy.sources
        if target.exists():
            shutil.copytree(origin / source.lstrip("/"), target, dirs_exist_ok=True)
        else:  # as good as a copy, and there at once
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(origin / source.lstrip("/"))

    def _placed(self, stage: Stage, text: str) -> str:
        return _PLACES.sub(f"{self.root(stage)}/", text)
