"""Dockerfiles and what they are given: as much of both as this project uses."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["DOCKERFILE", "ROOT", "Copy", "Dockerfile", "Ignore", "Instruction", "Stage", "context", "copy_from_context"]

ROOT: Final = Path(__file__).parents[3]
DOCKERFILE: Final = ROOT / "gpu_worker" / "Dockerfile"

_NOT_LOOKED_AT: Final = {"node_modules", "out", "weights"}
"""Folders of the checkout that are large, and of which tests ask by name."""


class Instruction(NamedTuple):
    """`RUN`, `COPY`, ... and what follows it, its lines joined."""

    name: str
    value: str


class Copy(NamedTuple):
    """`stage` is None where the context is copied from."""

    stage: str | None
    link: bool
    sources: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Stage:
    """From one FROM to the next. `base` is an image or another stage, with its variables put in."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def values(self, name: str) -> list[str]:
        return [instruction.value for instruction in self.instructions if instruction.name == name]

    def copies(self) -> list[Copy]:
        return [_copy(value) for value in self.values("COPY")]

    def command(self) -> list[str]:
        """The exec form of CMD."""
        [value] = self.values("CMD")
        command: list[str] = json.loads(value)
        return command

    def environment(self) -> dict[str, str]:
        """What ENV sets here, not in the base."""
        return dict(pair.split("=", 1) for value in self.values("ENV") for pair in shlex.split(value))


class Dockerfile:
    """`arguments` are those of the build; the others have their defaults."""

    def __init__(self, text: str, arguments: Mapping[str, str] | None = None) -> None:
        self.arguments = dict(arguments or {})
        self.stages: dict[str, Stage] = {}
        outer: dict[str, str] = {}
        name, base, inside = "", "", list[Instruction]()
        for instruction in [*_instructions(text), Instruction("FROM", " AS ")]:
            if instruction.name == "ARG" and not name:
                outer |= _argument(instruction.value, self.arguments, outer)
            elif instruction.name == "FROM":
                if name:
                    self.stages[name] = Stage(name, expand(base, outer), tuple(inside))
                base, _, name = instruction.value.partition(" AS ")
                inside = []
            else:
                inside.append(instruction)
        self.defaults = outer

    @property
    def last(self) -> Stage:
        return list(self.stages.values())[-1]

    def stage_arguments(self, stage: Stage) -> dict[str, str]:
        """What ARG gives the commands of a stage."""
        found: dict[str, str] = {}
        for value in stage.values("ARG"):
            found |= _argument(value, self.defaults | self.arguments, self.defaults | found)
        return found


class Ignore:
    """A `.dockerignore`: of all patterns that a path or a folder of it matches, the last one decides.

    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [
            (_matcher(line.removeprefix("!")), line.startswith("!"))
            for line in lines
            if line and not line.startswith("#")
        ]

    def lets_pass(self, path: str) -> bool:
        parts = PurePosixPath(path)
        names = [path, *(parent.as_posix() for parent in parts.parents if parent.name)]
        passes = True
        for matcher, exception in self._rules:
            if any(matcher.fullmatch(name) for name in names):
                passes = exception
        return passes


def context(root: Path = ROOT) -> list[str]:
    """Files of the repository that the builder is sent, in the order of their names."""
    ignore = Ignore((root / ".dockerignore").read_text(encoding="utf-8"))
    return sorted(path for path in _files(root) if ignore.lets_pass(path))


def copy_from_context(copy: Copy, target: Path) -> None:
    """Carry out a COPY of the context's files."""
    sent = context()
    for source in copy.sources:
        files = [path for path in sent if path == source or path.startswith(f"{source}/")]
        assert files, f"the context has no {source}"
        for path in files:
            own = Path(path).name if copy.target.endswith("/") else ""
            place = target / (own if path == source else Path(path).relative_to(source))
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, place)


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$NAME` and `${NAME}` by their values."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: values.get(match[1] or match[2], ""), text)


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    for line in joined.splitlines():
        name, _, value = line.strip().partition(" ")
        yield Instruction(name, " ".join(value.split()))


def _argument(value: str, given: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    name, _, default = value.partition("=")
    return {name: given.get(name) or expand(default, known)}


def _copy(value: str) -> Copy:
    words = value.split()
    flags = [word for word in words if word.startswith("--")]
    *sources, target = [word for word in words if not word.startswith("--")]
    stage = next((flag.removeprefix("--from=") for flag in flags if flag.startswith("--from=")), None)
    return Copy(stage, "--link" in flags, tuple(sources), target)


def _matcher(pattern: str) -> re.Pattern[str]:
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(
        parts.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/")) if part
    )
    return re.compile(text)


def _files(root: Path) -> Iterator[str]:
    for folder in root.iterdir():
        if folder.is_file():
            yield folder.name
        elif not folder.name.startswith(".") and folder.name not in _NOT_LOOKED_AT:
            for path in folder.rglob("*"):
                if path.is_file():
                    yield path.relative_to(root).as_posix()
