"""What a shopper's behaviour says about an upload soon."""

from __future__ import annotations

import math
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from planner.economics import Survival

__all__ = ["DEFAULT_STAGES", "STAGES", "Hope", "Intent", "Stage", "StageModel", "hopes", "memory", "with_hopes"]

Stage = Literal["page_view", "scroll", "hover", "file_chosen"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""From the first to the last: who is at a later one has passed, or skipped, those before."""

_FORGOTTEN: Final = 0.001
_LIVES: Final = 5
"""Of a hundred shoppers who will upload, one comes later than so many times the mean."""


class StageModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the shoppers at a stage, how many will upload a photo that the cache does not know, and when."""

    likelihood: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    seconds: Annotated[float, msgspec.Meta(gt=0, description="mean time from the stage to the upload")]
    prompt: Annotated[bool, msgspec.Meta(description="decide at once; else at the next tick")]


DEFAULT_STAGES: Final[Mapping[Stage, StageModel]] = MappingProxyType(
    {
        "page_view": StageModel(likelihood=0.02, seconds=180.0, prompt=False),
        "scroll": StageModel(likelihood=0.08, seconds=60.0, prompt=False),
        "hover": StageModel(likelihood=0.25, seconds=20.0, prompt=True),
        "file_chosen": StageModel(likelihood=0.85, seconds=8.0, prompt=True),
    }
)
"""Assumptions of a shop of photo products, to be replaced by its own counts. Stages whose upload is seconds away
are decided at once; the others can wait for the next minute."""


class Intent(NamedTuple):
    """A session is an opaque text."""

    session: str
    stage: Stage
    at: datetime


class Hope(NamedTuple):
    """A session from which an upload may still come: how likely, and after how many seconds on average."""

    likelihood: float
    seconds: float


def memory(stages: Mapping[Stage, StageModel]) -> timedelta:
    """How long an intent may say something."""
    return timedelta(seconds=_LIVES * max(model.seconds for model in stages.values()))


def hopes(intents: Iterable[Intent], stages: Mapping[Stage, StageModel], now: datetime) -> list[Hope]:
    """One a session, by the furthest stage it reached. Whoever has not uploaded by now becomes less likely to."""
    furthest: dict[str, Intent] = {}
    for intent in intents:
        known = furthest.get(intent.session)
        if known is None or _order(intent) > _order(known):
            furthest[intent.session] = intent
    found = (_hope(intent, stages[intent.stage], now) for intent in furthest.values())
    return [hope for hope in found if hope.likelihood >= _FORGOTTEN]


def with_hopes(survival: Survival, sessions: Iterable[Hope]) -> Survival:
    """No job by then from anybody: sessions are independent of each other and of the usual arrivals."""
    paces: dict[float, list[float]] = {}
    for hope in sessions:
        paces.setdefault(hope.seconds, []).append(hope.likelihood)

    def combined(seconds: float) -> float:
        nobody = survival(seconds)
        for pace, likelihoods in paces.items():
            by_then = 1.0 - math.exp(-seconds / pace)
            for likelihood in likelihoods:
                nobody *= 1.0 - likelihood * by_then
        return nobody

    return combined


def _order(intent: Intent) -> tuple[int, float]:
    """The later stage; of one stage told twice, the earlier time, so that repeating it keeps no hope alive."""
    return STAGES.index(intent.stage), -intent.at.timestamp()


def _hope(intent: Intent, model: StageModel, now: datetime) -> Hope:
    age = max(0.0, (now - intent.at).total_seconds())
    still = model.likelihood * math.exp(-age / model.seconds)
    return Hope(still / (1.0 - model.likelihood + still), model.seconds)
