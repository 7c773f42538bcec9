"""What `cloudbuild.yaml` says, before anybody runs it."""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import timedelta

import pytest

from rollout.decision import Criteria
from rollout.plan import Order
from rollout.smoke import SmokeOptions
from tests.unit.delivery.build import ROOT, Step, read_build
from tests.unit.terraform.module import resources

BUILD = read_build()
BUILT_IN = {"PROJECT_ID", "BUILD_ID", "COMMIT_SHA"}
STEPS = pytest.mark.parametrize("step", BUILD.steps, ids=lambda step: step.id)


def test_every_substitution_that_is_used_is_declared_and_the_other_way_round() -> None:
    assert BUILD.used - BUILT_IN == BUILD.declared.keys()


def test_the_trigger_sets_only_substitutions_that_there_are() -> None:
    trigger = resources("google_cloudbuild_trigger")["delivery"]
    assert trigger["filename"] == "cloudbuild.yaml"
    assert set(trigger["substitutions"]) <= BUILD.declared.keys()


def test_substitutions_reach_the_scripts_as_variables() -> None:
    assert BUILD.rest["options"]["automapSubstitutions"]
    assert BUILD.rest["options"]["dynamicSubstitutions"], "one has another one as its default"
    assert BUILD.rest["options"]["substitutionOption"] == "ALLOW_LOOSE", "a use in a script is not seen"
    assert not any("$$" in step.script for step in BUILD.steps)


@STEPS
def test_a_script_is_strict_and_short(step: Step) -> None:
    first, second, *rest = step.script.splitlines()
    assert (first, second) in {("#!/usr/bin/env bash", "set -euo pipefail"), ("#!/bin/sh", "set -eu")}
    assert len(rest) <= 16, "what is longer is a program of its own"


@STEPS
def test_an_image_has_a_version(step: Step) -> None:
    assert re.fullmatch(r"[a-z0-9./-]+:[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9]+)?", step.image), step.image


@STEPS
def test_a_step_waits_for_steps_before_it(step: Step) -> None:
    before = [other.id for other in BUILD.steps[: BUILD.steps.index(step)]]
    assert set(step.after) <= set(before)
    assert bool(step.after) == bool(before), "a step that waits for none would start at once"


@STEPS
def test_a_script_of_the_repository_is_there_and_can_be_run(step: Step) -> None:
    for name in re.findall(r"^(?:.* )?((?:\.ci|terraform)/[a-z_-]+(?:\.sh)?)\b", step.script, re.MULTILINE):
        path = ROOT / name
        assert path.stat().st_mode & 0o111, name


def test_nothing_reaches_production_before_staging_has_proved_it() -> None:
    order = {step.id: step for step in BUILD.steps}

    def before(step: Step) -> set[str]:
        return set(step.after).union(*(before(order[name]) for name in step.after))

    assert {"check", "image", "staging-apply", "staging-rollout", "staging-smoke"} <= before(order["production-apply"])
    assert "production-apply" in before(order["production-rollout"])
    assert "production-rollout" in before(order["production-smoke"])


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_catalogues_get_an_image_only_once_it_was_promoted(environment: str) -> None:
    (step,) = (step for step in BUILD.steps if step.id == f"{environment}-catalogue")
    assert step.after == (f"{environment}-rollout",)
    lifecycle = resources("google_cloud_run_v2_job")["catalogue"]["lifecycle"][0]
    assert "template[0].template[0].containers[0].image" in str(lifecycle["ignore_changes"])


def test_the_whole_is_given_the_time_that_its_longest_way_may_take() -> None:
    ends: dict[str, int] = {}
    for step in BUILD.steps:
        ends[step.id] = step.seconds + max((ends[name] for name in step.after), default=0)
    assert max(ends.values()) <= int(BUILD.rest["timeout"].removesuffix("s")) <= 86400


def test_a_rollout_is_given_the_time_that_it_gives_itself() -> None:
    order, options = Order(image="", holder=""), SmokeOptions(photo=b"")
    straight = order.start_within + options.patience
    watched = straight + Criteria().deadline
    seconds = {step.id: timedelta(seconds=step.seconds) for step in BUILD.steps}
    assert seconds["staging-rollout"] >= straight
    assert seconds["production-rollout"] >= order.stale + watched + straight, "with a second region"


@pytest.mark.parametrize(("variables", "holder"), [({}, "build b1"), ({"COMMIT_SHA": "c0ffee"}, "commit c0ffee")])
@pytest.mark.parametrize("name", ["staging-rollout", "production-rollout"])
def test_a_build_that_is_tried_again_is_the_same_holder(name: str, variables: dict[str, str], holder: str) -> None:
    (script,) = (step.script for step in BUILD.steps if step.id == name)
    match = re.search(r'--holder ("[^"]+")', script)
    assert match is not None
    told = subprocess.run(
        ["/bin/bash", "-euc", f"printf %s {match[1]}"],
        env={"BUILD_ID": "b1", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == holder


def test_what_one_builds_with_is_not_sent_to_a_build() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/.tools/", "/.rollout/", "/terraform/*.tfplan", "/terraform/.terraform/"} <= set(ignored)
    sent = (ROOT / ".gcloudignore").read_text(encoding="utf-8").splitlines()
    assert {".git/", "#!include:.gitignore"} <= set(sent)


def test_only_the_smoke_tests_get_the_key() -> None:
    (secret,) = BUILD.rest["availableSecrets"]["secretManager"]
    assert [step.id for step in BUILD.steps if secret["env"] in step.secrets] == ["staging-smoke", "production-smoke"]
    name = secret["versionName"].split("/")[3]
    assert name == resources("google_secret_manager_secret")["smoke_key"]["secret_id"]


def test_it_runs_as_the_account_that_may_deliver() -> None:
    account = resources("google_service_account")["delivery"]["account_id"]
    assert (
        BUILD.rest["serviceAccount"]
        == f"projects/${{PROJECT_ID}}/serviceAccounts/{account}@${{PROJECT_ID}}.iam.gserviceaccount.com"
    )
    assert BUILD.rest["options"]["logging"] == "CLOUD_LOGGING_ONLY", "an account of one's own has no bucket for logs"


def test_the_image_is_built_once_with_a_cache_and_named_by_its_digest() -> None:
    (script,) = (step.script for step in BUILD.steps if step.id == "image")
    words = shlex.split(script.replace("\\\n", " "), comments=True)
    assert words.count("--push") == 1
    assert words.count("--tag") == 2
    assert any(word.startswith("type=registry,ref=") and word.endswith("mode=max") for word in words)
    assert "@$digest" in script
    for step in BUILD.steps:
        assert ":latest" not in step.script
