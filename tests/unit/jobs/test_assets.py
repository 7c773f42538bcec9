"""Backgrounds from the tenants' own images."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Final

import numpy as np
import pytest
from PIL import Image

from events.errors import AssetMissingError, AssetUnusableError, InvalidMessageError, UnsupportedFormatError
from events.names import asset_name
from events.recipe import Picture, Recipe
from jobs.assets import Assets
from local.assets import keep as kept
from tests.fakes import FakeStore, InstantMattes
from tests.unit.examples import MODEL, TENANT
from tests.unit.scene import BUCKETS, Scene, photo

BEACH: Final = photo(77)
ASSET: Final = hashlib.sha256(BEACH).hexdigest()
ON_A_BEACH: Final = Recipe(background=Picture(asset=ASSET))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def keep(store: FakeStore, data: bytes = BEACH, *, tenant: str = TENANT, sha256: str = ASSET) -> None:
    store.put(BUCKETS.assets, asset_name(tenant, sha256), data, content_type="image/png", metadata={})


def test_a_photo_is_put_before_the_tenants_image(scene: Scene) -> None:
    keep(scene.store)
    job = scene.run(recipes=[ON_A_BEACH, Recipe()])
    result, _ = scene.completed(job).results
    stored = scene.store.peek(BUCKETS.results, result.object.name)
    assert stored is not None
    pixels = np.asarray(Image.open(BytesIO(stored.data)))
    assert pixels.shape == (24, 32, 3)
    cut = scene.store.peek(BUCKETS.results, scene.completed(job).results[1].object.name)
    assert cut is not None
    alpha = np.asarray(Image.open(BytesIO(cut.data)))[..., 3]
    assert (alpha == 0).any()
    assert np.array_equal(pixels[alpha == 0], np.asarray(Image.open(BytesIO(BEACH)))[alpha == 0])


def test_a_missing_image_fails_the_job_before_a_network_runs(scene: Scene) -> None:
    _, message = scene.queued(recipes=[Recipe(), ON_A_BEACH])
    mattes = InstantMattes(MODEL)
    scene.processor(mattes).process(message)
    assert mattes.computed == []
    [failed] = [sent for sent in scene.publisher.distinct("results") if "asset_missing" in sent.data]
    assert ASSET in failed.data


def test_another_tenants_image_is_not_found(scene: Scene) -> None:
    keep(scene.store, tenant="other")
    _, message = scene.queued(recipes=[ON_A_BEACH])
    scene.processor().process(message)
    assert any("asset_missing" in sent.data for sent in scene.publisher.distinct("results"))


@pytest.mark.parametrize("data", [b"no image at all", BEACH[:60]], ids=["text", "a cut off image"])
def test_what_is_no_image_fails_the_job_as_the_assets_fault(scene: Scene, data: bytes) -> None:
    sha256 = hashlib.sha256(data).hexdigest()
    keep(scene.store, data, sha256=sha256)
    _, message = scene.queued(recipes=[Recipe(background=Picture(asset=sha256))])
    scene.processor().process(message)
    assert any('"asset_unusable"' in sent.data for sent in scene.publisher.distinct("results"))


def test_an_image_that_is_not_what_its_name_says_is_refused() -> None:
    store = FakeStore()
    keep(store, photo(78))
    with pytest.raises(AssetUnusableError, match="another SHA-256"):
        Assets(store, BUCKETS.assets).read(TENANT, ASSET)


def test_an_image_is_kept_where_recipes_find_it() -> None:
    store = FakeStore()
    assert kept(store, BUCKETS.assets, TENANT, BEACH) == kept(store, BUCKETS.assets, TENANT, BEACH) == ASSET
    Assets(store, BUCKETS.assets).check(TENANT, [ON_A_BEACH])
    assert Assets(store, BUCKETS.assets).read(TENANT, ASSET) == BEACH


def test_what_no_result_could_be_made_with_is_not_kept() -> None:
    store = FakeStore()
    with pytest.raises(UnsupportedFormatError):
        kept(store, BUCKETS.assets, TENANT, b"no image at all")
    with pytest.raises(InvalidMessageError):
        kept(store, BUCKETS.assets, "../acme", BEACH)
    assert store.names(BUCKETS.assets) == ()


def test_without_a_bucket_nobody_has_images() -> None:
    assets = Assets(FakeStore(), "")
    assets.check(TENANT, [Recipe()])
    with pytest.raises(AssetMissingError, match=ASSET):
        assets.check(TENANT, [ON_A_BEACH])
    with pytest.raises(AssetMissingError, match=ASSET):
        assets.read(TENANT, ASSET)


def test_recipes_without_images_ask_nothing_of_the_store(scene: Scene) -> None:
    before = len(scene.faults.operations)
    scene.desk.assets.check(TENANT, [Recipe(), Recipe(effect="sepia")])
    assert len(scene.faults.operations) == before
