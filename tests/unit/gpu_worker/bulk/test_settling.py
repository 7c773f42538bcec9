"""A photo of a catalogue is a job like everybody's, that nobody waits for."""

from __future__ import annotations

import hashlib
import itertools
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from events.errors import TransientError
from gpu_worker.bulk.desk import bulk_desk
from gpu_worker.bulk.manifest import Photo, read_manifest
from gpu_worker.bulk.settling import Settling
from jobs.dispatch import Dispatch
from jobs.processing import Processor
from tests.fakes import BlindMattes, Crash, InstantMattes
from tests.unit.examples import MODEL, TENANT
from tests.unit.scene import BUCKETS, GPU, RECIPES, SECRET, Scene, photo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.messages import Cache, CostRecorded
    from gpu_worker.bulk.manifest import Manifest
    from jobs.cache import Found

CATALOGUE = "catalogue"


class Shop:
    """A catalogue of one photo, and settlings of it as fresh processes have them."""

    def __init__(self, data: bytes | None = None) -> None:
        self.scene = Scene()
        self.data = photo() if data is None else data
        self.scene.store.put(CATALOGUE, "1.png", self.data)
        self.mattes = InstantMattes(MODEL)
        self.line = Photo(line=1, bucket=CATALOGUE, name="1.png", recipes=RECIPES, tenant=TENANT, id="SKU-1")
        self.manifest: Manifest = read_manifest(b'{"source": "gs://catalogue/1.png"}', model=MODEL, tenant=TENANT)

    def settling(self) -> Settling:
        desk = bulk_desk(self.scene.store, self.scene.publisher, BUCKETS, secret=SECRET, clock=self.scene.clock)
        processor = Processor(desk, self.mattes, billing=GPU, source="bulk")
        return Settling(self.manifest, desk, processor, model=MODEL, billing=GPU)

    @property
    def costs(self) -> list[CostRecorded]:
        """Those that a subscriber keeps, told by their ids."""
        distinct = {event.id: event.data for event in self.scene.publisher.events("costs")}
        return list(distinct.values())  # type: ignore[arg-type]  # of that topic

    @property
    def results(self) -> tuple[str, ...]:
        return self.scene.store.names(BUCKETS.results)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_results_have_the_names_that_an_upload_of_the_photo_gives_them(shop: Shop) -> None:
    entry = shop.settling().settle(shop.line)
    uploaded = Scene()
    uploaded.run(shop.data)
    assert shop.results == uploaded.store.names(BUCKETS.results)
    assert shop.scene.store.names(BUCKETS.mattes) == uploaded.store.names(BUCKETS.mattes)
    for name in shop.results:
        ours, theirs = shop.scene.store.peek(BUCKETS.results, name), uploaded.store.peek(BUCKETS.results, name)
        assert ours is not None
        assert theirs is not None
        assert ours.data == theirs.data
    assert sorted(made.object for made in entry.results) == [f"gs://{BUCKETS.results}/{name}" for name in shop.results]
    assert entry.id == "SKU-1"
    assert entry.cache == "miss"


def test_its_cost_is_recorded_and_nobody_is_told_of_it(shop: Shop) -> None:
    entry = shop.settling().settle(shop.line)
    assert len(shop.costs) == len(RECIPES)
    assert sum((cost.usd for cost in shop.costs), Decimal(0)) == entry.usd > 0
    assert {(cost.speculative, cost.cache, cost.kind) for cost in shop.costs} == {(True, "miss", "gpu")}
    assert shop.scene.publisher.on("results") == []


def test_its_cost_does_not_count_towards_the_cap_of_the_tenants_shoppers(shop: Shop) -> None:
    assert shop.settling().settle(shop.line).usd > 0
    assert not [name for name in shop.scene.store.names(BUCKETS.jobs) if name.startswith("~spend/")]


def test_a_photo_that_the_service_knows_costs_nothing(shop: Shop) -> None:
    shop.scene.run(shop.data)
    before = {cost.job_id for cost in shop.costs}
    entry = shop.settling().settle(shop.line)
    assert entry.cache == "hit"
    assert entry.usd == 0
    assert [cost.usd for cost in shop.costs if cost.job_id not in before] == [0, 0]
    assert shop.mattes.computed == []


def test_a_known_matte_needs_no_network(shop: Shop) -> None:
    shop.scene.run(shop.data, recipes=RECIPES[:1])
    entry = shop.settling().settle(shop.line)
    assert [made.cache for made in entry.results] == ["hit", "matte"]
    assert shop.mattes.computed == []
    assert entry.usd > 0


def test_a_photo_of_the_catalogue_is_a_hit_for_a_shopper(shop: Shop) -> None:
    shop.settling().settle(shop.line)
    job = shop.scene.upload(shop.data)
    assert shop.scene.send(job) == "hit"


def test_a_shopper_who_deletes_the_same_photo_takes_nothing_from_the_catalogue(shop: Shop) -> None:
    shop.settling().settle(shop.line)
    job = shop.scene.run(shop.data)
    shop.scene.desk.removal.remove(job.tenant, job.job_id)
    assert len(shop.results) == len(RECIPES)
    assert shop.scene.store.peek(CATALOGUE, "1.png") is not None


def test_a_shopper_who_deletes_the_photo_while_the_catalogue_looks_it_up_takes_nothing_from_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue's job is as old as its photo: only its record says that it lives."""
    job = shop.scene.run(shop.data)
    original = Dispatch.look_up

    def look_up(*arguments: Any) -> tuple[Cache, Found]:
        answer = original(*arguments)
        shop.scene.desk.removal.remove(job.tenant, job.job_id)
        return answer

    monkeypatch.setattr(Dispatch, "look_up", look_up)
    entry = shop.settling().settle(shop.line)
    assert entry.cache == "hit"
    assert sorted(made.object for made in entry.results) == [f"gs://{BUCKETS.results}/{name}" for name in shop.results]


@pytest.mark.parametrize("nth", [1, 2], ids=["hashed", "processed"])
def test_a_photo_that_is_replaced_while_it_is_read_is_another_job(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    original, reads = shop.scene.store.stream, itertools.count(1)

    def stream(bucket: str, name: str, *, generation: int) -> Iterator[bytes]:
        if next(reads) == nth:
            shop.scene.store.put(CATALOGUE, "1.png", photo(7))
        return original(bucket, name, generation=generation)

    monkeypatch.setattr(shop.scene.store, "stream", stream)
    with pytest.raises(TransientError, match="replaced while it was read"):
        shop.settling().settle(shop.line)
    entry = shop.settling().settle(shop.line)
    assert (entry.code, len(entry.results)) == (None, len(RECIPES))


def test_a_photo_that_goes_away_while_it_is_read_is_missing(shop: Shop) -> None:
    shop.scene.faults.arm(3, lambda: shop.scene.store.delete(CATALOGUE, "1.png"))
    assert shop.settling().settle(shop.line).code == "upload_missing"


def test_a_photo_that_is_not_there_or_too_large_is_no_job(shop: Shop) -> None:
    missing = Photo(line=2, bucket=CATALOGUE, name="2.png", recipes=RECIPES, tenant=TENANT)
    assert shop.settling().settle(missing).code == "upload_missing"
    shop.scene.store.put(CATALOGUE, "2.png", bytes(31_457_281))
    entry = shop.settling().settle(missing)
    assert (entry.code, entry.job_id) == ("too_large", None)
    assert shop.scene.store.names(BUCKETS.jobs) == ()


@pytest.mark.parametrize(("data", "code"), [(b"text", "unsupported_format"), (photo()[:200], "corrupt_image")])
def test_a_photo_that_can_not_be_read_ends_with_its_code(data: bytes, code: str) -> None:
    shop = Shop(data)
    entry = shop.settling().settle(shop.line)
    assert entry.code == code
    assert entry.results == ()
    assert shop.settling().settle(shop.line) == entry


def test_a_photo_without_a_subject_costs_what_it_took(shop: Shop) -> None:
    shop.mattes = BlindMattes(MODEL)
    entry = shop.settling().settle(shop.line)
    assert entry.code == "no_foreground"
    assert entry.usd == sum((cost.usd for cost in shop.costs), Decimal(0)) > 0


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_at_any_operation_loses_and_doubles_nothing(after: bool) -> None:  # noqa: FBT001
    calm = Shop()
    calm.settling().settle(calm.line)
    operations = len(calm.scene.faults.operations)
    assert operations > 12
    for nth in range(1, operations + 1):
        shop = Shop()
        shop.scene.faults.arm(nth, Crash(), after=after)
        with pytest.raises(Crash):
            shop.settling().settle(shop.line)
        entry = shop.settling().settle(shop.line)
        assert [made.cache for made in entry.results] == ["miss", "miss"], nth
        assert shop.results == calm.results
        assert len(shop.costs) == len(RECIPES)
        assert sum((cost.usd for cost in shop.costs), Decimal(0)) == entry.usd > 0
        assert shop.settling().settle(shop.line) == entry


def test_storage_that_is_away_leaves_the_photo_to_a_later_attempt(shop: Shop) -> None:
    shop.scene.faults.arm(3, TransientError("away"))
    with pytest.raises(TransientError):
        shop.settling().settle(shop.line)


def test_a_second_attempt_goes_through_the_network_alone(shop: Shop) -> None:
    shop.settling().settle(shop.line, attempt=2)
    assert shop.mattes.alone == [True]


def test_the_hash_is_of_the_bytes_that_are_there(shop: Shop) -> None:
    shop.settling().settle(shop.line)
    other = photo(5)
    shop.scene.store.put(CATALOGUE, "1.png", other)
    shop.settling().settle(shop.line)
    contents = {name.split("/")[1] for name in shop.results}
    expected = {
        shop.scene.dispatch.content(TENANT, hashlib.sha256(data).hexdigest()).content_id for data in (shop.data, other)
    }
    assert contents == expected
