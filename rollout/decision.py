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

__all__ = ["Criteria", "Verdict", "decide", "unmeasured"]


class Verdict(NamedTuple):
    action: Literal["promote", "roll_back", "watch"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What counts as good enough.

    `interval` is watched at least, `deadline` at most. The share of failures may exceed the old revision's by
    `tolerance`; where that had less than `minimum` requests, it is taken to have failed `assumed_error_rate` of them.
    Slowness is beyond chance from `minimum` answers on, failures from `least_errors` on.
    The middle of the latencies may be `slower` times the old one's, and `slack_seconds` more anyway; 95% must end
    within `objective_seconds`, or `slower` times what the old revision needs. `deviations` of the normal distribution
    are beyond chance: 2.33 are 99%, one-sided, at each look; a good revision that is looked at many times is rolled
    back more often than once in a hundred. `when_quiet` decides at the deadline where there was too little to see.
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


def decide(new: Sample, old: Sample, watched: timedelta, criteria: Criteria, *, smoke_jobs: int = 0) -> Verdict:
    """`watched` is the time for which measurements are there already.

    `smoke_jobs` that the new revision did before are none of its requests: they only prove it on a quiet night.
    """
    new = _charged(new, old, criteria)
    numbers = f"new: {new}; old: {old}"
    if problem := _surely_worse(new, old, criteria):
        return Verdict("roll_back", f"{problem} ({numbers})")
    if watched < criteria.interval:
        return Verdict("watch", f"watched for {_minutes(watched)} of {_minutes(criteria.interval)} ({numbers})")
    doubt = _looks_worse(new, old, criteria)
    quiet = new.requests + smoke_jobs < criteria.minimum
    seen = f"{new.requests} of {criteria.minimum} requests, {smoke_jobs} smoke jobs"
    if not doubt and not quiet:
        return Verdict("promote", f"no worse after {_minutes(watched)} ({numbers})")
    if watched < criteria.deadline:
        return Verdict("watch", f"{doubt or seen}, until {_minutes(criteria.deadline)} are over ({numbers})")
    if doubt:
        return Verdict("roll_back", f"still in doubt after {_minutes(watched)}: {doubt} ({numbers})")
    return Verdict(criteria.when_quiet, f"only {seen} in {_minutes(watched)}, none of them bad ({numbers})")


def unmeasured(problem: str, watched: timedelta, criteria: Criteria) -> Verdict:
    """While nothing can be measured, nothing is proved: an outage is waited out until the deadline."""
    if watched < criteria.deadline:
        return Verdict("watch", f"can't be measured, until {_minutes(criteria.deadline)} are over ({problem})")
    return Verdict("roll_back", f"can't be measured after {_minutes(watched)} ({problem})")


def _charged(new: Sample, old: Sample, criteria: Criteria) -> Sample:
    """With its 429s as failures, where they are more than the old revision's share of them explains.

    Cloud Run answers so where there is no instance, and the limit is low while two revisions run; but the worker does
    too, when it is overloaded.
    """
    mine, others = new.requests + new.turned_away, old.requests + old.turned_away
    if _more(new.turned_away, mine, old.turned_away, others, criteria) <= 0:
        return new
    return new._replace(requests=mine, errors=new.errors + new.turned_away, turned_away=0)


def _surely_worse(new: Sample, old: Sample, criteria: Criteria) -> str:
    return _more_errors(new, old, criteria) or _slower(new, old, criteria)


def _more_errors(new: Sample, old: Sample, criteria: Criteria) -> str:
    if new.errors < criteria.least_errors:
        return ""
    at_least = _more(new.errors, new.requests, old.errors, old.requests, criteria)
    return f"at least {at_least:.1%} more failures" if at_least > criteria.tolerance else ""


def _more(hits: int, trials: int, old_hits: int, old_trials: int, criteria: Criteria) -> float:
    """By how much the new revision's share is greater at least."""
    if old_trials < criteria.minimum:
        return share(hits, trials, criteria.deviations)[0] - criteria.assumed_error_rate
    return least_difference(hits, trials, old_hits, old_trials, criteria.deviations)


def _slower(new: Sample, old: Sample, criteria: Criteria) -> str:
    answered = new.seconds.total
    if answered < criteria.minimum:
        return ""
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
