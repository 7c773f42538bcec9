"""The arithmetic of a month: against the simulation, the code that it counts, and Terraform."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.bill import main
from planner.list_prices import LIST_PRICES
from planner.monthly import FUNCTIONS, HIT, MISS, SWEEP_TICK, WARM_TICK, Month, Shop, Traffic
from planner.patterns import START, visits
from planner.policy import Policy
from planner.simulation import simulate
from planner.worker import Worker
from tests.unit.functions.api import Api
from tests.unit.scene import RECIPES, photo
from tests.unit.terraform.module import MODULE, local_values
from tests.unit.warming import shop as warming
from webhooks.parking import Parking

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes import Faults

COMPUTING: Final = {"GPU worker", "Functions, for photos", "Intents: function, requests, logs", "Results to browsers"}
shops: Final = st.builds(
    Shop,
    images_a_day=st.just(0.0) | st.floats(1e-9, 1e6),
    hit_rate=st.floats(0, 1),
    open_hours=st.floats(1, 24),
    seconds_an_image=st.floats(0.1, 10),
    cdn=st.booleans(),
)


def month(images: float, *, seconds: float = 2.0) -> Month:
    return Month.of(Shop(images_a_day=images, seconds_an_image=seconds))


def usd(bill: Month) -> dict[str, float]:
    return {line.product: line.usd for line in bill.lines}


def test_a_shop_without_shoppers_pays_for_no_worker() -> None:
    bill = usd(month(0))
    assert {product for product, amount in bill.items() if amount == 0} == COMPUTING | {"Cloud Storage, kept"}
    assert bill["Load balancer, Cloud Armor, request logs"] == pytest.approx(730 * 0.025 + 5 + 3)
    assert month(0).usd_an_image is None


def test_one_photo_a_day_pays_for_a_start_its_work_and_the_idle_time() -> None:
    seconds = 20 + 2 + 600
    assert month(1).load.billed_seconds == seconds
    assert usd(month(1))["GPU worker"] == pytest.approx(30 * float(Worker().price(seconds)))


def test_where_work_fills_the_day_there_are_as_many_workers_as_it_takes() -> None:
    load = month(1_000_000).load
    assert load.instances == pytest.approx(1_000_000 / (13 * 3600) * 2 / 0.6)
    assert load.starts == pytest.approx(1)


@pytest.mark.parametrize("a_day", [5, 100, 400])
def test_the_worker_costs_what_the_simulation_says(a_day: int) -> None:
    rng = random.Random(7)
    days = 28
    uploads = sorted(
        START + timedelta(days=day, hours=8, seconds=rng.random() * 13 * 3600)
        for day in range(days)
        for _ in range(a_day)
    )
    played = simulate(
        visits(uploads, seed=1), msgspec.structs.replace(Policy(), name="off"), start=START, days=days, listen=False
    )
    load = month(a_day, seconds=3.0).load
    assert days * float(Worker().price(load.billed_seconds)) == pytest.approx(played.bill_usd, rel=0.05)
    waiting = load.starts * (1 + a_day / (13 * 3600) * 20)  # who comes while it starts waits too
    assert days * waiting == pytest.approx(played.cold_starts, rel=0.1)


@given(shops, st.floats(0, 1))
def test_what_the_cache_answers_costs_no_more(shop: Shop, rate: float) -> None:
    low, high = sorted((shop.hit_rate, rate))
    asked = Month.of(msgspec.structs.replace(shop, hit_rate=low))
    answered = Month.of(msgspec.structs.replace(shop, hit_rate=high))
    assert answered.usd <= asked.usd * (1 + 1e-9)


@given(shops, st.floats(1, 10))
def test_more_photos_cost_more_and_no_line_is_negative(shop: Shop, factor: float) -> None:
    more = Month.of(msgspec.structs.replace(shop, images_a_day=shop.images_a_day * factor))
    assert more.usd >= Month.of(shop).usd * (1 - 1e-9)
    assert all(line.usd >= 0 for line in more.lines)


def test_egress_has_its_steps() -> None:
    assert LIST_PRICES.egress(1024) == pytest.approx(1024 * 0.12)
    assert LIST_PRICES.egress(20_000) == pytest.approx(1024 * 0.12 + 9216 * 0.11 + 9760 * 0.08)


class TestTheCode:
    """What a photo and a tick make it do, counted."""

    def test_a_photo_that_the_worker_does(self) -> None:
        api = Api()
        scene, data = api.scene, photo(3)
        wanted = {"content_type": "image/png", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        assert api.request_upload(wanted).status == 201
        before = _counted(scene.faults)
        job = scene.upload(data, recipes=RECIPES[:1])
        opened = _counted(scene.faults)  # as request_upload had done already
        scene.on_upload()(scene.finalized(job))
        assert [api.status_of(job).json["state"] for _ in range(2)] == ["queued", "queued"]
        scene.processor().process(scene.message(job))
        assert api.status_of(job).json["state"] == "done"
        done = _sum((before, _counted(scene.faults)))
        assert opened == Traffic(1, 0, 0)
        put, event, download = Traffic(1, 0, 0), Traffic(0, 0, 1), Traffic(0, 1, 0)
        assert _sum((done, put, event, download)) == MISS

    def test_a_photo_that_is_known_by_its_hash(self) -> None:
        api = Api()
        data = photo(3)
        api.scene.run(data, recipes=RECIPES[:1])
        wanted = {"content_type": "image/png", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        api.request_upload(wanted)  # the day's spending is read, and known for the next half minute
        _counted(api.scene.faults)
        assert api.request_upload(wanted).status == 200
        assert _sum((_counted(api.scene.faults), Traffic(0, 1, 0))) == HIT

    def test_ticks(self) -> None:
        shop = warming.Shop()
        shop.warm()(shop.tick())  # the day's rates are learnt once
        _counted(shop.faults)
        shop.warm()(shop.tick())
        assert _sum((_counted(shop.faults), Traffic(0, 0, 1))) == WARM_TICK
        assert Parking(shop.store, "j").entries(shop.clock()) == []
        assert _counted(shop.faults) == SWEEP_TICK


class TestTerraform:
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_a_functions_size_is_terraforms(self, name: str) -> None:
        spec = local_values()["functions"][name]
        assumed = FUNCTIONS[name]
        deployed = (spec.get("cpu", 1), spec.get("memory", 0.5), spec.get("concurrency", 1))
        assert (assumed.vcpus, assumed.gib, assumed.at_once) == deployed

    def test_defaults_are_terraforms(self) -> None:
        shop, text = Shop(images_a_day=1), "".join(path.read_text(encoding="utf-8") for path in MODULE.glob("*.tf"))
        for name, value in {
            "uploads": shop.upload_days,
            "results": shop.result_days,
            "mattes": shop.result_days,
            "jobs": shop.result_days + 1,
            "network": shop.seconds_an_image,
            "cold_start": shop.worker.cold_start_seconds,
        }.items():
            assert re.search(rf"^    {name} += optional\(number, {value:g}\)$", text, re.MULTILINE), name


def test_the_command_prints_both_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--images", "0", "500", "--hit-rate", "0.25", "--cdn"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line]
    assert rows[0] == "| USD a month, photos a day: | 0 | 500 |"
    assert sum(row.startswith("| bf16, 1.2 s |") for row in rows) == 3


@pytest.mark.parametrize(
    "arguments", [["--hit-rate", "2"], ["--seconds", "0"], ["--images", "-1"], ["--images", "many"]]
)
def test_assumptions_that_make_no_sense_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert "error:" in capsys.readouterr().err


def _counted(faults: Faults) -> Traffic:
    """What was done since the last time."""
    kinds = Counter(operation.split()[0] for operation in faults.operations)
    faults.operations.clear()
    writes = kinds["create"] + kinds["list"]
    return Traffic(writes, kinds["read"] + kinds["stat"] + kinds["stream"], kinds["publish"])


def _sum(parts: Iterable[Traffic]) -> Traffic:
    return Traffic(*(sum(column) for column in zip(*parts, strict=True)))
