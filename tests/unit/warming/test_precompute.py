from __future__ import annotations

import itertools
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from events.errors import TransientError
from events.names import reference_prefix
from events.recipe import Recipe
from functions.precompute import Precompute
from functions.warming_settings import PrecomputeSettings
from jobs.costs import Billing
from jobs.kept_photos import KeptPhotos
from planner.precompute import Demand
from tests.fakes import Crash
from tests.unit.examples import MODEL, TENANT
from tests.unit.functions.api import Api
from tests.unit.functions.test_render import delivery
from tests.unit.scene import BUCKETS, RECIPES, Job, Scene, photo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from events.envelope import Event
    from events.messages import JobRequested
    from jobs.kept_photos import KeptPhoto

GREY = Recipe(effect="black_white")
SMALL = Recipe(max_side=16)
CPU = Billing(kind="cpu", plan="function", region="europe-west4", vcpus=1, gib=1)
USUAL = PrecomputeSettings.from_env({})


class Asked:
    """`functions.precompute.RecipeDemand`."""

    def __init__(self, *demand: Demand) -> None:
        self.demand = demand
        self.since: datetime | None = None

    def recipes_since(self, moment: datetime) -> tuple[Demand, ...]:
        self.since = moment
        return self.demand


def asked(*recipes: Recipe, tenant: str = TENANT) -> Asked:
    return Asked(*(Demand(tenant, recipe, 100 - index) for index, recipe in enumerate(recipes)))


class SeenBefore(KeptPhotos):
    """What was kept when it was made."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.desk, model=MODEL)
        self._seen = tuple(super().since(TENANT, scene.clock() - timedelta(days=1)))

    def since(self, tenant: str, moment: datetime) -> Iterator[KeptPhoto]:
        return iter(self._seen)


class Night:
    def __init__(self) -> None:
        self.api = Api()
        self.scene = self.api.scene

    def run(
        self, demand: Asked, settings: PrecomputeSettings = USUAL, photos: KeptPhotos | None = None
    ) -> tuple[int, int]:
        """Jobs and results that were sent."""
        photos = photos or KeptPhotos(self.scene.desk, model=MODEL)
        done = Precompute(self.scene.desk, photos, demand, settings, billing=CPU, model=MODEL)()
        return done.jobs, done.results

    def sent(self) -> list[Event[JobRequested]]:
        return [event for event in self.scene.messages("renders") if event.data.speculative]

    def render(self) -> None:
        """Deliver everything that was sent, as often as it was sent."""
        for message in self.scene.publisher.on("renders"):
            self.api.render()(delivery(message))

    def results(self, job: Job) -> set[str]:
        prefix = f"{job.tenant}/{self.scene.content(job)}/"
        return {name for name in self.scene.store.names(BUCKETS.results) if name.startswith(prefix)}

    def references(self, job: Job) -> list[str]:
        prefix = reference_prefix(job.tenant, self.scene.content(job))
        return [name for name in self.scene.store.names(BUCKETS.jobs) if name.startswith(prefix)]

    def budget(self, usd: str) -> PrecomputeSettings:
        return PrecomputeSettings.from_env({"PRECOMPUTE_DAILY_USD": usd})


@pytest.fixture
def night() -> Night:
    return Night()


def test_popular_recipes_are_made_and_then_are_hits(night: Night) -> None:
    job = night.scene.run()
    assert night.run(asked(GREY, SMALL)) == (1, 2)
    night.render()
    again = night.scene.upload(recipes=(GREY, SMALL))
    assert night.scene.send(again) == "hit"
    assert len(night.results(job)) == len(RECIPES) + 2


def test_nobody_is_told_and_the_cost_is_recorded_as_speculative(night: Night) -> None:
    night.scene.run()
    told = len(night.scene.publisher.on("results"))
    night.run(asked(GREY))
    night.render()
    [event] = night.sent()
    assert len(night.scene.publisher.on("results")) == told
    costs = [
        message
        for message in night.scene.publisher.on("costs")
        if event.data.job_id in message.attributes["ce-subject"]
    ]
    assert costs
    assert all('"speculative":true' in message.data for message in costs)


def test_a_second_run_of_the_night_sends_and_pays_nothing_twice(night: Night) -> None:
    night.scene.run()
    assert night.run(asked(GREY)) == (1, 1)
    reserved = [name for name in night.scene.store.names(BUCKETS.jobs) if name.startswith("~precompute/")]
    assert night.run(asked(GREY)) == (1, 1), "not made yet, so it is sent again, under the same id"
    assert len(night.sent()) == 1
    assert [name for name in night.scene.store.names(BUCKETS.jobs) if name.startswith("~precompute/")] == reserved
    night.render()
    assert night.run(asked(GREY)) == (0, 0)


def test_the_same_night_gives_a_photo_the_same_job_and_another_night_another(night: Night) -> None:
    night.scene.run()
    night.run(asked(GREY))
    night.scene.clock.advance(24 * 3600)
    night.run(asked(GREY))
    assert len({event.data.job_id for event in night.sent()}) == 2


def test_the_budget_holds_over_all_runs_of_a_night(night: Night) -> None:
    for seed in range(5):
        night.scene.run(photo(seed))
    one_job = float(CPU.price(CPU.usage(2 + 1)))
    settings = night.budget(f"{2.5 * one_job:.9f}")
    assert night.run(asked(GREY), settings) == (2, 2)
    assert night.run(asked(GREY), settings) == (2, 2)
    assert len(night.sent()) == 2


def test_the_newest_photos_come_first(night: Night) -> None:
    jobs = [night.scene.run(photo(seed)) for seed in range(3)]
    one_job = float(CPU.price(CPU.usage(2 + 1)))
    night.run(asked(GREY), night.budget(f"{1.5 * one_job:.9f}"))
    [event] = night.sent()
    assert event.data.sha256 == jobs[-1].sha256


def test_what_exists_is_not_made_again(night: Night) -> None:
    night.scene.run()
    assert night.run(asked(RECIPES[0])) == (0, 0)


def test_photos_without_upload_without_matte_or_deleted_are_left_out(night: Night) -> None:
    scene = night.scene
    gone, bare, deleted = (scene.run(photo(seed)) for seed in range(3))
    scene.store.delete(BUCKETS.uploads, gone.stat.name)
    for name in scene.computed(bare):
        if name in scene.store.names(BUCKETS.mattes):
            scene.store.delete(BUCKETS.mattes, name)
    scene.desk.removal.remove(deleted.tenant, deleted.job_id)
    assert night.run(asked(GREY)) == (0, 0)


def test_old_photos_are_left_out(night: Night) -> None:
    night.scene.run()
    night.scene.clock.advance(timedelta(days=4).total_seconds())
    demand = asked(GREY)
    assert night.run(demand) == (0, 0)
    assert demand.since == night.scene.clock() - timedelta(days=7)


def test_a_photo_that_is_deleted_meanwhile_leaves_nothing_behind(night: Night) -> None:
    job = night.scene.run()
    night.run(asked(GREY))
    night.scene.desk.removal.remove(job.tenant, job.job_id)
    night.render()
    assert night.results(job) == set()
    assert night.references(job) == []


def test_a_photo_that_is_deleted_while_it_is_rendered_leaves_nothing_behind(night: Night) -> None:
    """At every operation of the rendering."""
    for operation in range(1, 40):
        night = Night()
        job = night.scene.run()
        night.run(asked(GREY))
        night.scene.faults.arm(operation, partial(night.scene.desk.removal.remove, TENANT, job.job_id))
        try:
            night.render()
        except TransientError:
            night.render()
        night.scene.faults.arm(10_000, lambda: None)
        if "deleted" not in " ".join(night.scene.records(job)):
            break
        assert night.results(job) == set(), operation
        assert night.references(job) == [], operation
    else:
        pytest.fail("more operations than expected")


def test_a_photo_that_is_just_being_deleted_is_left_alone() -> None:
    """At every operation of the removal: what it counts as in use, the night gives back."""
    for operation in itertools.count(1):
        night = Night()
        job = night.scene.run()
        photos = SeenBefore(night.scene)
        sent: list[tuple[int, int]] = []

        def run(night: Night = night, photos: KeptPhotos = photos, sent: list[tuple[int, int]] = sent) -> None:
            sent.append(night.run(asked(GREY), photos=photos))

        night.scene.faults.arm(operation, run)
        night.scene.desk.removal.remove(TENANT, job.job_id)
        if not sent:
            break
        night.render()
        assert night.results(job) == set(), operation
        assert night.references(job) == [], operation


def test_other_jobs_keep_their_references(night: Night) -> None:
    job = night.scene.run()
    before = night.references(job)
    night.run(asked(GREY))
    assert len(night.references(job)) == len(before) + 1
    night.render()
    assert night.references(job) == before


def test_a_matte_that_is_gone_by_then_wakes_no_worker(night: Night) -> None:
    job = night.scene.run()
    night.run(asked(GREY))
    for name in night.scene.store.names(BUCKETS.mattes):
        night.scene.store.delete(BUCKETS.mattes, name)
    gpu = len(night.scene.publisher.on("jobs"))
    night.render()
    assert len(night.scene.publisher.on("jobs")) == gpu
    assert len(night.references(job)) == 1


def test_a_run_that_dies_anywhere_is_finished_by_the_next(night: Night) -> None:
    for operation in range(1, 60):
        night = Night()
        jobs = [night.scene.run(photo(seed)) for seed in range(2)]
        before = len(night.scene.faults.operations)
        night.scene.faults.arm(operation, Crash())
        try:
            night.run(asked(GREY))
        except Crash:
            night.run(asked(GREY))
        else:
            assert len(night.scene.faults.operations) - before < operation
            break
        assert {event.data.sha256 for event in night.sent()} == {job.sha256 for job in jobs}
        assert len({event.data.job_id for event in night.sent()}) == 2
    else:
        pytest.fail("more operations than expected")


def test_without_demand_nothing_is_looked_at(night: Night) -> None:
    night.scene.run()
    before = len(night.scene.faults.operations)
    assert night.run(Asked()) == (0, 0)
    assert len(night.scene.faults.operations) == before + 1  # the ledger


def test_no_budget_makes_nothing(night: Night) -> None:
    night.scene.run()
    assert night.run(asked(GREY), night.budget("0")) == (0, 0)
    assert USUAL.daily_usd == Decimal("0.10")
