"""Carries out what a rule says, at most once for an incident, and tells what came of it.

A mitigation that fails is told as failed, with the command to do it by hand, and is not tried again: one that came
long after a message said otherwise would surprise whoever works on the incident by then.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from alerts.revisions import Leave, cap, step_back
from alerts.rules import PauseWarming, Rollback, is_fresh
from events.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

    from alerts.incident import Incident
    from alerts.ports import RunAdmin
    from alerts.rules import CapInstances, Rule
    from cloud.deadline import Deadline
    from jobs.flags import Flags
    from jobs.ports import Clock

__all__ = ["MITIGATION_SECONDS", "Mitigated", "Mitigator"]

MITIGATION_SECONDS: Final = 60.0
"""For everything that is done about an incident, however slow Cloud Run's API is: people wait to be told."""

_LOG: Final = logging.getLogger(__name__)
_TRIES: Final = 3
"""How often a decision is made anew because somebody changed the service meanwhile."""

Status = Literal["done", "requested", "unneeded", "planned", "failed"]


class Mitigated(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a mitigation.

    `requested` was accepted and not seen to take effect in time; `planned` is what a dry run would have done.
    `command` undoes what was done or requested, and does what was planned or failed.
    """

    action: str
    status: Status
    text: str
    command: str = ""


class Mitigator:
    """A dry run decides, and changes nothing. `run` is asked for only where a rule is about a service."""

    def __init__(
        self, run: Callable[[], RunAdmin], flags: Flags, clock: Clock, *, region: str, dry_run: bool = False
    ) -> None:
        self._run = run
        self._flags = flags
        self._clock = clock
        self._region = region
        self._dry_run = dry_run

    def mitigate(self, rule: Rule, incident: Incident, limit: Deadline) -> Mitigated:
        """Always an outcome, never an error: the message about the incident must go out whatever happens here.

        `limit` is that of all mitigations of the incident together.
        """
        try:
            outcome = self._mitigate(rule, incident, limit)
        except Exception as error:  # noqa: BLE001  # a bug here must not keep anybody from hearing of the incident
            _LOG.exception("mitigation_failed", extra={"action": rule.slug, "incident": incident.key})
            outcome = Mitigated(
                action=rule.slug, status="failed", text=f"{_what(rule)} failed: {error}", command=self._by_hand(rule)
            )
        _LOG.warning("mitigation_ended", extra={"incident": incident.key, **msgspec.structs.asdict(outcome)})
        return outcome

    def _mitigate(self, rule: Rule, incident: Incident, limit: Deadline) -> Mitigated:
        if not is_fresh(incident, self._clock()):
            return _left(rule, "the incident began too long ago")
        if isinstance(rule, PauseWarming):
            return self._pause_warming(rule, incident)
        run = self._run().within(limit)
        for _ in range(_TRIES - 1):
            try:
                return self._change(rule, run)
            except ConflictError:
                continue
        return self._change(rule, run)

    def _change(self, rule: Rollback | CapInstances, run: RunAdmin) -> Mitigated:
        """Raises `ConflictError` where the service changed between the decision and the change."""
        return self._roll_back(rule, run) if isinstance(rule, Rollback) else self._cap(rule, run)

    def _roll_back(self, rule: Rollback, run: RunAdmin) -> Mitigated:
        service = run.service(rule.service)
        step = step_back(service, run.revisions(rule.service))
        if isinstance(step, Leave):
            return _left(rule, step.reason)
        what = f"the traffic of {rule.service} from {step.source} back to {step.target}"
        if self._dry_run:
            return _planned(rule, f"would move {what}", self._traffic_to(rule.service, step.target))
        settled = run.set_traffic(service, step.traffic, step.annotations)
        return _done(rule, f"moved {what}", self._traffic_to(rule.service, step.source), settled=settled)

    def _cap(self, rule: CapInstances, run: RunAdmin) -> Mitigated:
        service = run.service(rule.service)
        limit = cap(service, rule.instances)
        if isinstance(limit, Leave):
            return _left(rule, limit.reason)
        what = f"{rule.service} to at most {limit} instances"
        if self._dry_run:
            return _planned(rule, f"would limit {what}", self._limited(rule.service, limit))
        settled = run.set_max_instances(service, limit)
        undo = self._limited(rule.service, service.max_instances)
        return _done(rule, f"limited {what}", undo, settled=settled)

    def _pause_warming(self, rule: PauseWarming, incident: Incident) -> Mitigated:
        until = self._clock() + timedelta(minutes=rule.minutes)
        what = f"warming until {until:%Y-%m-%d %H:%M} UTC"
        if self._dry_run:
            return _planned(rule, f"would pause {what}", "")
        self._flags.put_up("warming-paused", until=until, by=incident.key)
        return _done(rule, f"paused {what}", "", settled=True)

    def _by_hand(self, rule: Rule) -> str:
        if isinstance(rule, PauseWarming):
            return ""
        if isinstance(rule, Rollback):
            return self._traffic_to(rule.service, "REVISION")
        return self._limited(rule.service, rule.instances)

    def _traffic_to(self, service: str, revision: str) -> str:
        return f"gcloud run services update-traffic {service} --region={self._region} --to-revisions={revision}=100"

    def _limited(self, service: str, instances: int) -> str:
        return f"gcloud run services update {service} --region={self._region} --max={instances or 'default'}"


def _what(rule: Rule) -> str:
    if isinstance(rule, PauseWarming):
        return "pausing the warming"
    return f"rolling back {rule.service}" if isinstance(rule, Rollback) else f"limiting {rule.service}"


def _left(rule: Rule, reason: str) -> Mitigated:
    return Mitigated(action=rule.slug, status="unneeded", text=f"not {_what(rule)}: {reason}")


def _planned(rule: Rule, text: str, command: str) -> Mitigated:
    return Mitigated(action=rule.slug, status="planned", text=f"{text} (dry run: nothing was changed)", command=command)


def _done(rule: Rule, text: str, undo: str, *, settled: bool) -> Mitigated:
    if settled:
        return Mitigated(action=rule.slug, status="done", text=text, command=undo)
    return Mitigated(action=rule.slug, status="requested", text=f"{text}: requested, not seen yet", command=undo)
