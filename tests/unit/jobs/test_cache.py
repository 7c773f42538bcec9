from __future__ import annotations

import pytest

from events.recipe import Recipe
from jobs.cache import Content, answer, confidence_of, look_up, result_of, result_status
from jobs.ports import ObjectStat
from tests.fakes import FakeStore
from tests.unit.examples import JOB_ID, MODEL, OTHER_JOB_ID, TENANT
from tests.unit.scene import BUCKETS, RECIPES

CONTENT = Content(tenant=TENANT, content_id="c" * 64, model=MODEL)
METADATA = {"job-id": JOB_ID, "cache": "matte", "width": "4", "height": "3", "confidence": "0.9"}


def stat(**metadata: str) -> ObjectStat:
    return ObjectStat("x.png", 7, 1, "image/png", METADATA | {k.replace("_", "-"): v for k, v in metadata.items()})


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


def put_result(store: FakeStore, recipe: Recipe) -> None:
    store.put(BUCKETS.results, CONTENT.result(recipe), b"result", content_type="image/png", metadata=METADATA)


@pytest.mark.parametrize(
    ("results", "matte", "expected"),
    [
        (RECIPES, True, "hit"),
        (RECIPES, False, "hit"),
        (RECIPES[:1], True, "matte"),
        (RECIPES[:1], False, "miss"),
        ((), True, "matte"),
        ((), False, "miss"),
    ],
)
def test_the_cache_has_three_answers(
    store: FakeStore, results: tuple[Recipe, ...], expected: str, *, matte: bool
) -> None:
    for recipe in results:
        put_result(store, recipe)
    if matte:
        store.put(BUCKETS.mattes, CONTENT.matte, b"matte")
    found = look_up(store, BUCKETS, CONTENT, RECIPES)
    assert answer(found, RECIPES) == expected
    assert set(found.results) == set(results)


def test_a_hit_costs_one_listing(store: FakeStore) -> None:
    for recipe in RECIPES:
        put_result(store, recipe)
    look_up(store, BUCKETS, CONTENT, RECIPES)
    assert [operation.split()[0] for operation in store.faults.operations] == ["list"]


def test_other_photos_models_and_recipes_are_not_found(store: FakeStore) -> None:
    store.put(BUCKETS.results, f"{TENANT}/{'d' * 64}/{MODEL}/{RECIPES[0].digest()}.png", b"")
    store.put(BUCKETS.results, f"{TENANT}/{'c' * 64}/{MODEL}-2/{RECIPES[0].digest()}.png", b"")
    put_result(store, Recipe(effect="black_white"))
    assert look_up(store, BUCKETS, CONTENT, RECIPES[:1]).results == {}


def test_a_job_that_finds_its_own_work_says_what_it_was() -> None:
    assert result_status(stat(), JOB_ID) == "matte"
    assert result_status(stat(cache="miss"), JOB_ID) == "miss"
    assert result_status(stat(), OTHER_JOB_ID) == "hit"


def test_a_stored_result_is_told_with_its_size_in_pixels_and_bytes() -> None:
    result = result_of(RECIPES[0], BUCKETS.results, stat(), "hit")
    assert (result.width, result.height, result.bytes, result.content_type) == (4, 3, 7, "image/png")
    assert (result.object.bucket, result.object.name, result.cache) == (BUCKETS.results, "x.png", "hit")
    assert confidence_of([stat(), stat()]) == 0.9
