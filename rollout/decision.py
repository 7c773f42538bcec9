"""Whether a watched revision gets all traffic, gives it back, or is watched further. Pure.

Few requests prove little, so nothing is decided by raw ratios: a revision is rolled back at once when its failures or
its slowness are beyond chance, and promoted only when it had enough requests and looks no worse. What lies between the
two is watched until the deadline, and then not promoted. Latencies are compared by their middle, and by a late one
against a fixed objective: a tenth of the traffic of a service that scales to zero meets more cold starts than the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from rollout.intervals import least_difference, share

if TYPE_CHECKING:
    from rollout.sample import Sample

__all__ = ["Criteria", "Verdict", "decide"]


class Verdict(NamedTuple):
    action: Literal["promote", "roll_back", "watch"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What counts as good enough.

    `interval` is watched at least, `deadline` at most. The share of failures may exceed the old revision's by
    `tolerance`; where that had less than `minimum` requests, it is taken to have failed `assumed_error_rate` of them.
    The middle of the latencies may be `slower` times the old one's, and `slack_seconds` more anyway; 95% must end
    within `objective_seconds`, or `slower` times what the old revision needs. `deviations` of the normal distribution
    are beyond chance: 2.33 are 99%, one-sided. `when_quiet` decides at the deadline where there was too little to see.
    """

    interval: timedelta = timedelta(minutes=15)
    deadline: timedelta = timedelta(minutes=45)
    minimum: int = 20
    least_errors: int = 3
    tolerance: float = 0.02
    assumed_error_rate: float = 0.02
    slower: float = 1.5
    slack_seconds: float = 0.5
    objective_seconds: float = 45.0
    deviations: float = 2.33
    when_quiet: Literal["promote", "roll_back"] = "roll_back"


def decide(new: Sample, old: Sample, watched: timedelta, criteria: Criteria) -> Verdict:
    """`watched` is the time for which measurements are there already."""
    numbers = f"new: {new}; old: {old}"
    if problem := _surely_worse(new, old, criteria):
        return Verdict("roll_back", f"{problem} ({numbers})")
    if watched < criteria.interval:
        return Verdict("watch", f"watched for {_minutes(watched)} of {_minutes(criteria.interval)} ({numbers})")
    doubt = _looks_worse(new, old, criteria)
    quiet = new.requests < criteria.minimum
    if not doubt and not quiet:
        return Verdict("promote", f"no worse after {_minutes(watched)} ({numbers})")
    if watched < criteria.deadline:
        waiting = doubt or f"{new.requests} of {criteria.minimum} requests"
        return Verdict("watch", f"{waiting}, until {_minutes(criteria.deadline)} are over ({numbers})")
    if doubt:
        return Verdict("roll_back", f"still in doubt after {_minutes(watched)}: {doubt} ({numbers})")
    text = f"only {new.requests} of {criteria.minimum} requests in {_minutes(watched)}, none of them bad"
    return Verdict(criteria.when_quiet, f"{text} ({numbers})")


def _surely_worse(new: Sample, old: Sample, criteria: Criteria) -> str:
    return _more_errors(new, old, criteria) or _slower(new, old, criteria)


def _more_errors(new: Sample, old: Sample, criteria: Criteria) -> str:
    if new.errors < criteria.least_errors:
        return ""
    if old.requests < criteria.minimum:
        at_least = share(new.errors, new.requests, criteria.deviations)[0] - criteria.assumed_error_rate
    else:
        at_least = least_difference(new.errors, new.requests, old.errors, old.requests, criteria.deviations)
    return f"at least {at_least:.1%} more failures" if at_least > criteria.tolerance else ""


def _slower(new: Sample, old: Sample, criteria: Criteria) -> str:
    answered = new.seconds.total
    late = _late(old, criteria)
    if share(new.seconds.above(late), answered, criteria.deviations)[0] > 0.05:
        return f"more than 5% took longer than {late:.1f} s"
    if old.seconds.total < criteria.minimum:
        return ""
    middle = _middle(old, criteria)
    if share(new.seconds.above(middle), answered, criteria.deviations)[0] > 0.5:
        return f"most took longer than {middle:.1f} s"
    return ""


def _looks_worse(new: Sample, old: Sample, criteria: Criteria) -> str:
    """The same, by the numbers as they are: no reason to roll back, and none to promote."""
    known = old.requests >= criteria.minimum
    limit = (old.error_rate if known else criteria.assumed_error_rate) + criteria.tolerance
    if new.error_rate > limit:
        return f"{new.error_rate:.1%} failed, {limit:.1%} may"
    if new.seconds.quantile(0.95) > (late := _late(old, criteria)):
        return f"p95 is beyond {late:.1f} s"
    if old.seconds.total >= criteria.minimum and new.seconds.quantile(0.5) > (middle := _middle(old, criteria)):
        return f"p50 is beyond {middle:.1f} s"
    return ""


def _middle(old: Sample, criteria: Criteria) -> float:
    median = old.seconds.quantile(0.5)
    return max(median * criteria.slower, median + criteria.slack_seconds)


def _late(old: Sample, criteria: Criteria) -> float:
    if old.seconds.total < criteria.minimum:
        return criteria.objective_seconds
    return max(criteria.objective_seconds, old.seconds.quantile(0.95) * criteria.slower)


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} min"
