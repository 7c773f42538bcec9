from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from planner.intents import DEFAULT_STAGES, STAGES, Hope, Intent, Stage, StageModel, hopes, memory, with_hopes

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def shown(stage: Stage, *, seconds_ago: float = 0, session: str = "a") -> Intent:
    return Intent(session, stage, NOW - timedelta(seconds=seconds_ago))


def test_an_intent_just_shown_is_as_likely_as_its_stage() -> None:
    for stage in STAGES:
        [hope] = hopes([shown(stage)], DEFAULT_STAGES, NOW)
        assert hope.likelihood == pytest.approx(DEFAULT_STAGES[stage].likelihood)


def test_later_stages_are_likelier_and_sooner() -> None:
    likelihoods = [DEFAULT_STAGES[stage].likelihood for stage in STAGES]
    seconds = [DEFAULT_STAGES[stage].seconds for stage in STAGES]
    assert likelihoods == sorted(likelihoods)
    assert seconds == sorted(seconds, reverse=True)


def test_a_session_counts_once_by_the_furthest_stage_it_reached() -> None:
    told = [shown("hover", seconds_ago=5), shown("page_view", seconds_ago=60), shown("scroll", seconds_ago=1)]
    [hope] = hopes(told, DEFAULT_STAGES, NOW)
    assert hope.seconds == DEFAULT_STAGES["hover"].seconds


def test_a_stage_that_is_repeated_keeps_no_hope_alive() -> None:
    again = [shown("hover", seconds_ago=30), shown("hover", seconds_ago=0)]
    assert hopes(again, DEFAULT_STAGES, NOW) == hopes(again[:1], DEFAULT_STAGES, NOW)


def test_who_has_not_uploaded_by_now_becomes_less_likely_to() -> None:
    ages = [hopes([shown("file_chosen", seconds_ago=age)], DEFAULT_STAGES, NOW)[0].likelihood for age in (0, 8, 24)]
    assert ages[0] == pytest.approx(0.85)
    assert ages[1] == pytest.approx(0.85 * 0.36788 / (0.15 + 0.85 * 0.36788), rel=1e-4)
    assert ages == sorted(ages, reverse=True)


def test_old_intents_say_nothing() -> None:
    for stage in STAGES:
        age = memory(DEFAULT_STAGES).total_seconds()
        assert hopes([shown(stage, seconds_ago=age)], DEFAULT_STAGES, NOW) == []


def test_sessions_add_up_as_independent_chances() -> None:
    two = with_hopes(lambda _seconds: 0.9, [Hope(0.5, 10), Hope(0.2, 10)])
    assert two(0) == pytest.approx(0.9)
    assert two(1e6) == pytest.approx(0.9 * 0.5 * 0.8)


def test_a_stage_of_no_likelihood_is_no_hope() -> None:
    ignored = {**DEFAULT_STAGES, "page_view": StageModel(likelihood=0, seconds=1, prompt=False)}
    assert hopes([shown("page_view")], ignored, NOW) == []
