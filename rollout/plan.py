"""From the state of the service to the next step of its rollout. Pure: going on after a kill is looking again.

    begin     the new image as a revision without traffic; the old one is pinned; the limit of instances is lowered
    tag       the new revision gets a URL of its own
    smoke     real jobs are pushed to that URL
    canary    a tenth of the traffic, watched
    promote   all traffic; or back, at any step: none. The tag goes, and the limit is as it was

GPUs: a tagged revision without traffic does not count towards the service's limit of instances, and how Cloud Run
rounds a tenth of it is not said (https://cloud.google.com/run/docs/configuring/max-instances). So while two revisions
run, the limit is one below the quota, unless the revisions' own limits leave room for both.

Incidents: an alert counts the requests of the whole service, so it may be about a candidate that has lost its traffic
since. While the old revision has all of it, it is noted as one that `on_alert` must not roll back from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from rollout.record import Ended, Record, ended, noted, spared, taken_back, under_way
from rollout.service import Change, Target

if TYPE_CHECKING:
    from datetime import datetime

    from rollout.decision import Verdict
    from rollout.record import Outcome
    from rollout.service import Revision, Service

__all__ = [
    "CANDIDATE",
    "Apply",
    "Finished",
    "Order",
    "Refuse",
    "Smoke",
    "SmokeReport",
    "Step",
    "Wait",
    "Watch",
    "candidate_of",
    "end_by_hand",
    "let_go",
    "next_step",
]

CANDIDATE: Final = "candidate"
"""The tag of a revision that is rolled out."""
HEARTBEAT: Final = timedelta(minutes=5)
_WHOLE_MINUTES: Final = timedelta(minutes=1)
"""Monitoring measures whole minutes: none of them may have begun before the canary did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Bring `image` (IMAGE@sha256:...) to the service. `holder` names who does, the same after a kill.

    `straight` leaves out the canary. `quota` is how many GPUs there are. A holder that was not heard of for `stale` is
    dead. A start, and any change, must take effect within `start_within`. `again` rolls out what this holder rolled
    out before, too.
    """

    image: str
    holder: str
    straight: bool = False
    percent: int = 10
    quota: int = 3
    stale: timedelta = timedelta(minutes=30)
    start_within: timedelta = timedelta(minutes=20)
    again: bool = False


class SmokeReport(NamedTuple):
    """What came of the smoke test of a revision; `jobs` were done."""

    revision: str
    passed: bool
    text: str
    jobs: int = 0


class Refuse(NamedTuple):
    """Somebody else's rollout, or a state that a rollout would make worse."""

    reason: str


class Apply(NamedTuple):
    """`ends` is the last change of a rollout: what it left anywhere else goes before."""

    change: Change
    text: str
    ends: bool = False


class Wait(NamedTuple):
    text: str


class Smoke(NamedTuple):
    revision: Revision
    url: str


class Watch(NamedTuple):
    new: str
    old: str
    since: datetime
    begun: datetime
    """When the traffic was given; both are measured from `since` on, when no smoke test is in the numbers."""
    jobs: int = 0
    """What the smoke test did: for a quiet night."""


class Finished(NamedTuple):
    outcome: Outcome
    reason: str


Step = Refuse | Apply | Wait | Smoke | Watch | Finished


def candidate_of(service: Service, record: Record) -> Revision | None:
    """The revision that the rollout made.

    That is the first one: the mark is in the template, so whoever changes this meanwhile makes another one with it.
    """
    return next(iter(_made(service, record)), None)


def _made(service: Service, record: Record) -> list[Revision]:
    made = (revision for revision in service.revisions if revision.rollout == record.id)
    return sorted(made, key=lambda revision: revision.created_at)


def next_step(
    service: Service, order: Order, now: datetime, *, tested: SmokeReport | None = None, verdict: Verdict | None = None
) -> Step:
    """`tested` and `verdict` are what this process has found out about the new revision, if it has.

    Raises `PermanentError` where a note can't be read.
    """
    record = under_way(service.annotations)
    if record is None:
        return _first(service, order, now)
    if record.holder != order.holder:
        return _others(service, record, order, now)
    if record.image != order.image:
        return _back(service, record, now, f"{order.holder} rolls out another image")
    if now - record.seen_at >= HEARTBEAT:
        return Apply(Change(noted(service.annotations, _seen(service, record, now))), "still here")
    return _further(service, record, order, now, tested, verdict)


def end_by_hand(service: Service, now: datetime, outcome: Outcome, by: str) -> Apply | Refuse:
    """Whoever's rollout it is. Raises `PermanentError` likewise."""
    record = under_way(service.annotations)
    if record is None:
        return Refuse("no rollout is under way")
    if outcome == "rolled_back":
        return _back(service, record, now, f"by hand, by {by}")
    candidate = candidate_of(service, record)
    if candidate is None or not candidate.ready:
        return Refuse("the new revision is not ready")
    return _promote(service, record, candidate, now, f"by hand, by {by}")


def let_go(service: Service, order: Order, now: datetime, reason: str) -> Apply | None:
    """The traffic back from a revision that this rollout gave some, and now stops watching; None where it gave none.

    Raises `PermanentError` likewise.
    """
    record = under_way(service.annotations)
    if record is None or record.holder != order.holder or record.watching_since is None:
        return None
    return _back(service, record, now, reason)


def _first(service: Service, order: Order, now: datetime) -> Step:
    names = sorted({target.revision for target in service.traffic if target.percent > 0})
    if before := _before(service, order, names):
        return before
    # Empty where the newest ready revision serves, and there was none yet. One that is not ready now was so before.
    baseline = names[0] if names else ""
    old = service.revision(baseline)
    if not service.settled or (old and old.ready is None):
        return Wait("an earlier change takes effect")
    if len(names) > 1:
        return Refuse(f"the traffic is split between {' and '.join(names)}: end that first")
    if baseline and order.quota < 2:
        return Refuse(f"two revisions need two GPUs, and the quota is {order.quota}")
    if old and old.ready and old.image == order.image and old == service.newest and not order.again:
        return Finished("promoted", f"{old.name} serves this image already")
    return _begin(service, order, now, baseline)


def _before(service: Service, order: Order, serving: list[str]) -> Finished | None:
    """How this very rollout ended, where the process that learns of it was not the one that ended it."""
    last = ended(service.annotations)
    if last is None or order.again or (last.holder, last.image) != (order.holder, order.image):
        return None
    if last.outcome == "promoted" and serving != [last.revision]:
        return Finished("rolled_back", f"{last.revision} was promoted, and lost its traffic since")
    return Finished(last.outcome, last.reason)


def _begin(service: Service, order: Order, now: datetime, baseline: str) -> Apply:
    limit = _limit_beside(service, order.quota) if baseline else service.limit
    record = Record(
        id=f"{now:%Y%m%dt%H%M%S}",
        holder=order.holder,
        image=order.image,
        baseline=baseline,
        began_at=now,
        seen_at=now,
        limit_before=service.limit,
        limit_during=limit,
    )
    first = Target(baseline, 100) if baseline else Target("", 100, latest=True)
    kept = spared(service.annotations, baseline) if baseline else service.annotations
    change = Change(
        annotations=noted(kept, record),
        traffic=(first, *_other_tags(service)),
        limit=limit if limit != service.limit else None,
        image=order.image,
        rollout=record.id,
    )
    lowered = f", at most {limit} instances meanwhile" if limit != service.limit else ""
    beside = f"beside {baseline}, without traffic" if baseline else "with all traffic, since nothing serves yet"
    return Apply(change, f"a revision of {order.image} {beside}{lowered}")


def _limit_beside(service: Service, quota: int) -> int:
    if 0 < service.limit < quota:
        return service.limit
    if service.limit_of_revision > 0 and 2 * service.limit_of_revision <= quota:
        return service.limit
    return quota - 1


def _others(service: Service, record: Record, order: Order, now: datetime) -> Step:
    """A rollout that its holder left is taken over if it is of this image, else ended."""
    silent = now - record.seen_at
    if silent < order.stale:
        return Refuse(
            f"{record.holder} rolls out {record.image} since {record.began_at:%Y-%m-%d %H:%M} UTC, "
            f"and was at it {silent.total_seconds() / 60:.0f} min ago"
        )
    if record.image != order.image:
        return _back(service, record, now, f"{record.holder} left it")
    taken = msgspec.structs.replace(record, holder=order.holder, seen_at=now, settled_at=now)
    return Apply(Change(noted(service.annotations, taken)), f"taking over from {record.holder}")


def _further(
    service: Service, record: Record, order: Order, now: datetime, tested: SmokeReport | None, verdict: Verdict | None
) -> Step:
    candidate = candidate_of(service, record)
    if candidate is None or not candidate.ready:
        return _starting(service, record, candidate, order, now)
    if not service.settled:
        return _settling(service, record, order, now)
    if meddling := _meddling(service, record, candidate):
        return _back(service, record, now, meddling)
    if record.tagged_at is None:
        return _tag(service, record, candidate, now)
    if record.watching_since:
        return _watched(service, record, candidate, now, verdict)
    return _tested(service, record, candidate, order, now, tested)


def _starting(service: Service, record: Record, candidate: Revision | None, order: Order, now: datetime) -> Step:
    if candidate is not None and candidate.ready is False:
        return _back(service, record, now, f"{candidate.name} did not start: {candidate.problem}")
    if now - record.began_at > order.start_within:
        return _back(service, record, now, "the new revision was not ready in time")
    return Wait("the new revision starts")


def _settling(service: Service, record: Record, order: Order, now: datetime) -> Apply | Wait:
    if now - (record.settled_at or record.began_at) > order.start_within:
        return _back(service, record, now, "a change did not take effect in time")
    return Wait("a change takes effect")


def _meddling(service: Service, record: Record, candidate: Revision) -> str:
    """What somebody else, such as `on_alert`, did to the traffic."""
    serving = {target.revision for target in service.traffic if target.percent > 0 and not target.latest}
    if strange := serving - {record.baseline, candidate.name}:
        return f"somebody moved traffic to {', '.join(sorted(strange))}"
    if record.baseline and record.watching_since and candidate.name not in serving:
        return f"somebody took the traffic of {candidate.name} away"
    return ""


def _tag(service: Service, record: Record, candidate: Revision, now: datetime) -> Apply:
    serves = record.baseline or candidate.name
    traffic = (Target(serves, 100), Target(candidate.name, 0, CANDIDATE), *_other_tags(service))
    marked = msgspec.structs.replace(record, tagged_at=now, seen_at=now, settled_at=now)
    return Apply(Change(noted(service.annotations, marked), traffic), f"a URL of its own for {candidate.name}")


def _tested(
    service: Service, record: Record, candidate: Revision, order: Order, now: datetime, tested: SmokeReport | None
) -> Step:
    url = next((target.url for target in service.traffic if target.tag == CANDIDATE), "")
    if tested is None or tested.revision != candidate.name:
        if not url and now - (record.tagged_at or now) > order.start_within:
            return _back(service, record, now, "the tag had no URL in time")
        return Smoke(candidate, url) if url else Wait("the URL of the tag is made")
    if not tested.passed:
        return _back(service, record, now, f"the smoke test failed: {tested.text}")
    if order.straight or not record.baseline:
        return _promote(service, record, candidate, now, f"the smoke test passed: {tested.text}")
    traffic = (
        Target(record.baseline, 100 - order.percent),
        Target(candidate.name, order.percent, CANDIDATE),
        *_other_tags(service),
    )
    watching = msgspec.structs.replace(record, watching_since=now, seen_at=now, settled_at=now, smoke_jobs=tested.jobs)
    change = Change(noted(service.annotations, watching), traffic)
    return Apply(change, f"{order.percent}% of the traffic for {candidate.name}")


def _watched(service: Service, record: Record, candidate: Revision, now: datetime, verdict: Verdict | None) -> Step:
    begun = record.watching_since or now
    if verdict is None or verdict.action == "watch":
        return Watch(candidate.name, record.baseline, begun + _WHOLE_MINUTES, begun, record.smoke_jobs)
    if verdict.action == "promote":
        return _promote(service, record, candidate, now, verdict.reason)
    return _back(service, record, now, verdict.reason)


def _promote(service: Service, record: Record, candidate: Revision, now: datetime, reason: str) -> Apply:
    end = _end(record, candidate.name, "promoted", reason, now)
    traffic = (Target(candidate.name, 100), *_other_tags(service))
    change = Change(noted(service.annotations, end), traffic, _restored(service, record))
    return Apply(change, f"all traffic to {candidate.name}: {reason}", ends=True)


def _back(service: Service, record: Record, now: datetime, reason: str) -> Apply:
    """To where the traffic was, or to where somebody else moved it meanwhile."""
    candidate = candidate_of(service, record)
    end = _end(record, candidate.name if candidate else "", "rolled_back", reason, now)
    annotations, traffic = noted(service.annotations, end), _without(service, record)
    if record.baseline:
        annotations = taken_back(annotations, *(revision.name for revision in _made(service, record)))
        if all(target.revision == record.baseline for target in traffic if target.percent > 0):
            annotations = spared(annotations, record.baseline)
    return Apply(Change(annotations, traffic, _restored(service, record)), f"back: {reason}", ends=True)


def _without(service: Service, record: Record) -> tuple[Target, ...]:
    if not record.baseline:
        return (*(target for target in service.traffic if target.tag != CANDIDATE or target.percent),)
    made = {revision.name for revision in _made(service, record)}
    kept = [target for target in service.traffic if target.percent > 0 and target.revision not in made]
    if not kept:
        return (Target(record.baseline, 100), *_other_tags(service))
    missing = 100 - sum(target.percent for target in kept)
    first = kept[0]._replace(percent=kept[0].percent + missing, tag="", url="")
    rest = [target._replace(tag="", url="") for target in kept[1:]]
    return (first, *rest, *_other_tags(service))


def _restored(service: Service, record: Record) -> int | None:
    """A limit that is no longer the rollout's is somebody else's decision."""
    if record.limit_during == record.limit_before or service.limit != record.limit_during:
        return None
    return record.limit_before


def _other_tags(service: Service) -> tuple[Target, ...]:
    """Tags keep their revision: somebody may be looking at it under the tag's URL."""
    return tuple(
        target._replace(percent=0, url="") for target in service.traffic if target.tag and target.tag != CANDIDATE
    )


def _seen(service: Service, record: Record, now: datetime) -> Record:
    return msgspec.structs.replace(record, seen_at=now, settled_at=now if service.settled else record.settled_at)


def _end(record: Record, revision: str, outcome: Outcome, reason: str, now: datetime) -> Ended:
    return Ended(holder=record.holder, image=record.image, revision=revision, outcome=outcome, reason=reason, at=now)
