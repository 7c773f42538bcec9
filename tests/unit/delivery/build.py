"""`cloudbuild.yaml`, as values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ROOT", "Build", "Step", "read_build"]

ROOT: Final = Path(__file__).parents[3]
_USED: Final = re.compile(r"\$\{?(_[A-Z_]+|PROJECT_ID|BUILD_ID|COMMIT_SHA|SHORT_SHA)\b")


class Step(NamedTuple):
    id: str
    image: str
    after: tuple[str, ...]
    seconds: int
    script: str
    secrets: tuple[str, ...]

    @property
    def used(self) -> set[str]:
        """Substitutions that the script reads."""
        return set(_USED.findall(self.script))


class Build(NamedTuple):
    """`rest` is everything but the steps."""

    steps: tuple[Step, ...]
    rest: Mapping[str, Any]

    @property
    def declared(self) -> dict[str, str]:
        declared: dict[str, str] = self.rest["substitutions"]
        return declared

    @property
    def used(self) -> set[str]:
        return set(_USED.findall(str(self.rest))).union(*(step.used for step in self.steps))


def read_build() -> Build:
    """Raises `KeyError` for a step without an id, an image, a script or a timeout."""
    parsed = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text(encoding="utf-8"))
    steps = tuple(
        Step(
            id=step["id"],
            image=step["name"],
            after=tuple(step.get("waitFor", ())),
            seconds=int(step["timeout"].removesuffix("s")),
            script=step["script"],
            secrets=tuple(step.get("secretEnv", ())),
        )
        for step in parsed.pop("steps")
    )
    return Build(steps, parsed)
