"""What a rollout would do, step by step, if everything went well. Pure: nothing is changed, nothing is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rollout.decision import Verdict
from rollout.plan import Apply, Finished, Refuse, Smoke, SmokeReport, Wait, next_step
from rollout.service import Revision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rollout.plan import Order
    from rollout.service import Change, Service, Target

__all__ = ["preview"]

_NEW: Final = "the new revision"
_URL: Final = "the URL of its tag"


def preview(service: Service, order: Order, now: datetime) -> Iterator[str]:
    """Raises `PermanentError` where a note of an earlier rollout can't be read."""
    tested: SmokeReport | None = None
    verdict: Verdict | None = None
    while True:
        step = next_step(service, order, now, tested=tested, verdict=verdict)
        if isinstance(step, Refuse):
            yield f"refused: {step.reason}"
            return
        if isinstance(step, Finished):
            yield f"{step.outcome}: {step.reason}"
            return
        if isinstance(step, Apply):
            yield f"would change {service.name}: {step.text}"
            service = _settled(_after(service, step.change, now))
            order = replace(order, again=False)
        elif isinstance(step, Wait):
            yield f"would wait: {step.text}"
            if service == (service := _settled(service)):
                return
        elif isinstance(step, Smoke):
            yield f"would push jobs to {step.url}"
            tested = SmokeReport(step.revision.name, passed=True, text="if they are done")
        else:
            yield f"would watch {step.new} beside {step.old}"
            verdict = Verdict("promote", "if it is no worse")


def _after(service: Service, change: Change, now: datetime) -> Service:
    revisions = service.revisions
    if change.image is not None:
        revisions = (Revision(_NEW, now, None, change.image, change.rollout), *revisions)
    return service._replace(
        annotations=change.annotations,
        traffic=service.traffic if change.traffic is None else change.traffic,
        limit=service.limit if change.limit is None else change.limit,
        revisions=revisions,
    )


def _settled(service: Service) -> Service:
    """As it is once the new revision is ready and the tags have their URLs."""
    revisions = tuple(each._replace(ready=True) if each.ready is None else each for each in service.revisions)
    return service._replace(revisions=revisions, traffic=tuple(map(_with_url, service.traffic)), settled=True)


def _with_url(target: Target) -> Target:
    named = target._replace(revision=target.revision or _NEW)
    return named._replace(url=named.url or _URL) if named.tag else named
