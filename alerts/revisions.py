"""How a Cloud Run service is made safer, decided from its state as it was read.

A rollback leaves two annotations on the service, in the same update as the traffic: to which revision it went, and
which revisions it took traffic from. So a second incident about the same bad revision, or the same one delivered again,
finds the rollback done instead of going one more step back, and a bad revision is never rolled back to. A rollout
leaves the same ones (`rollout.record`), so that an incident about its candidate spares the revision that served before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from alerts.ports import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from alerts.ports import Revision, RunService

__all__ = ["ROLLED_BACK_FROM", "ROLLED_BACK_TO", "Leave", "StepBack", "cap", "step_back"]

ROLLED_BACK_TO: Final = "cutout-rolled-back-to"
ROLLED_BACK_FROM: Final = "cutout-rolled-back-from"
"""Revisions between commas, the latest last."""

_REMEMBERED: Final = 10


class Leave(NamedTuple):
    """Nothing is to be changed, and why."""

    reason: str


class StepBack(NamedTuple):
    """All traffic goes from one revision to an earlier one."""

    source: str
    target: str
    traffic: tuple[Target, ...]
    annotations: Mapping[str, str]


def step_back(service: RunService, revisions: Iterable[Revision]) -> StepBack | Leave:
    """From the newest revision that serves to the newest healthy one before it, one that serves already first."""
    newest_first = sorted(revisions, key=lambda revision: revision.created_at, reverse=True)
    serving = {target.revision for target in service.traffic if target.percent > 0}
    source = next((revision for revision in newest_first if revision.name in serving), None)
    if source is None:
        return Leave("no known revision has traffic")
    bad = [name for name in service.annotations.get(ROLLED_BACK_FROM, "").split(",") if name]
    if service.annotations.get(ROLLED_BACK_TO) == source.name:
        return Leave(f"its traffic was rolled back to {source.name} already, from {bad[-1] if bad else 'a later one'}")
    earlier = [
        revision
        for revision in newest_first
        if revision.created_at < source.created_at and revision.ready and revision.name not in bad
    ]
    if not earlier:
        return Leave(f"there is no healthy revision before {source.name}")
    target = next((revision for revision in earlier if revision.name in serving), earlier[0]).name
    taken = [*(name for name in bad if name != source.name), source.name]
    changed = {ROLLED_BACK_TO: target, ROLLED_BACK_FROM: ",".join(taken[-_REMEMBERED:])}
    return StepBack(source.name, target, _all_to(target, service.traffic), {**service.annotations, **changed})


def cap(service: RunService, instances: int) -> int | Leave:
    """The new limit of a service's own."""
    limits = [limit for limit in (service.max_instances, service.max_instances_of_revision) if limit > 0]
    if limits and min(limits) <= instances:
        return Leave(f"it has a limit of {min(limits)} already")
    return instances


def _all_to(revision: str, traffic: Iterable[Target]) -> tuple[Target, ...]:
    """Tags keep their revision: somebody may be looking at it under the tag's URL."""
    tagged = (target._replace(percent=0) for target in traffic if target.tag)
    return (Target(revision, 100), *tagged)
