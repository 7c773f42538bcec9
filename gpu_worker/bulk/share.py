"""Which part of a manifest is this task's, and what else the environment tells a task."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple, Self

from cloud.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_worker.bulk.manifest import Photo

__all__ = ["Share", "tenants_from_env"]


class Share(NamedTuple):
    """Task number `task`, from 0, of `tasks`. `attempt` is 0 the first time."""

    task: int = 0
    tasks: int = 1
    attempt: int = 0

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """As Cloud Run tells each task of a job; the whole manifest where nobody tells.

        https://cloud.google.com/run/docs/container-contract#jobs-env-vars. Raises `SettingsError`.
        """
        env = Environment(environ)
        tasks = env.integer("CLOUD_RUN_TASK_COUNT", default=1, minimum=1, maximum=10_000)
        share = cls(
            task=env.integer("CLOUD_RUN_TASK_INDEX", default=0, minimum=0, maximum=max(tasks - 1, 0)),
            tasks=tasks,
            attempt=env.integer("CLOUD_RUN_TASK_ATTEMPT", default=0, minimum=0),
        )
        env.check()
        return share

    @property
    def first(self) -> bool:
        """Whether this is the first that is done of all: it tells what all would tell."""
        return self.task == 0 and self.attempt == 0

    def has(self, photo: Photo) -> bool:
        """By the photo, not by its line: several lines of one photo share its matte, which then is computed once."""
        key = f"{photo.tenant}\x1f{photo.source}".encode()
        return int.from_bytes(hashlib.sha256(key).digest()[:8]) % self.tasks == self.task


def tenants_from_env(environ: Mapping[str, str]) -> frozenset[str] | None:
    """All tenants that there are; None where nobody tells. Raises `SettingsError`."""
    env = Environment(environ)
    names = env.csv("TENANT_NAMES", default=())
    env.check()
    return frozenset(names) or None
