"""From a photo to its alpha at full size: the whole path, against the original's own `Remover`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import torch

from gpu_worker.engines import BatchTooLargeError, NetworkFailedError, load_engine
from gpu_worker.weights import Weights, WeightsError
from gpu_worker.weights.digests import digest_of
from gpu_worker.weights.fetching import fetch_checkpoint
from gpu_worker.weights.official import Checkpoint
from tests.parity.photos import photo
from tests.parity.reference import reference_remover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gpu_worker.engines import Engine


@pytest.fixture(scope="module")
def fetched(checkpoint: Path) -> Iterator[Weights]:
    """The checkpoint as `python -m gpu_worker.weights fetch` leaves it."""
    md5 = digest_of(checkpoint, "md5")
    with tempfile.TemporaryDirectory() as folder:
        yield fetch_checkpoint(
            Checkpoint("inspyrenet-fast", "https://example.invalid/checkpoint.pth", md5),
            Path(folder),
            download=lambda _url, target: target.symlink_to(checkpoint),
        )


@pytest.fixture(scope="module")
def engine(fetched: Weights) -> Engine:
    return load_engine(fetched, device="cpu")


@pytest.fixture(scope="module")
def remover(checkpoint: Path) -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as home:
        yield reference_remover("fast", checkpoint, Path(home))


def _alpha(engine: Engine, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    (matte,) = engine.infer([engine.prepare(rgb)])
    return engine.finish(matte, rgb.shape[1], rgb.shape[0])


@pytest.mark.parametrize(("name", "width", "height"), [("coffee", 600, 400), ("astronaut", 200, 311)])
def test_the_alpha_is_the_originals(engine: Engine, remover: Any, name: str, width: int, height: int) -> None:
    image = photo(name).resize((width, height))
    expected = np.asarray(remover.process(image))[:, :, 3]

    alpha = _alpha(engine, np.asarray(image))

    assert alpha.dtype == np.uint8
    assert alpha.shape == (height, width)
    assert expected.std() > 25, "a flat alpha would agree with everything"
    differences = np.abs(alpha.astype(int) - expected)
    assert differences.max() <= 1
    assert (differences > 0).mean() < 0.01  # where rounding lies on the other side of a level


def test_the_input_has_the_very_bits_of_the_original(engine: Engine, remover: Any) -> None:
    image = photo("chelsea")
    np.testing.assert_array_equal(engine.prepare(np.asarray(image)), remover.transform(image).numpy())


def test_the_engine_says_what_it_is(engine: Engine, fetched: Weights) -> None:
    assert engine.name == "inspyrenet-fast"
    assert engine.model == f"inspyrenet-fast-{fetched.sha256[:12]}-f32-p1"
    assert engine.device == "cpu"
    assert engine.largest_batch == 1


def test_more_than_the_largest_batch_is_refused(engine: Engine) -> None:
    image = np.zeros((3, 384, 384), np.float32)
    with pytest.raises(ValueError, match="2 images, but at most 1 at once"):
        engine.infer([image, image])


def test_no_images_have_no_mattes(engine: Engine) -> None:
    assert engine.infer([]) == []


def test_a_matte_that_is_not_finite_is_a_failure_of_the_network(engine: Engine) -> None:
    with pytest.raises(NetworkFailedError):
        engine.infer([np.full((3, 384, 384), np.nan, np.float32)])


def test_the_probe_is_a_pass_far_smaller_than_a_photos(engine: Engine) -> None:
    probe = engine.probe()
    (matte,) = engine.infer([probe])
    assert 10 * probe.size < engine.prepare(np.asarray(photo("coffee"))).size
    assert np.isfinite(matte).all()


def test_a_batch_that_does_not_fit_into_memory_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def network(_batch: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(engine, "_network", network)
    with pytest.raises(BatchTooLargeError, match="no memory for 1 images"):
        engine.infer([np.zeros((3, 384, 384), np.float32)])


def test_the_same_weights_serve_another_precision_under_another_name(fetched: Weights) -> None:
    engine = load_engine(fetched, device="cpu", precision="bf16")
    assert engine.model == f"inspyrenet-fast-{fetched.sha256[:12]}-bf16-p1"
    (matte,) = engine.infer([engine.prepare(np.asarray(photo("coffee")))])
    assert matte.dtype == np.float32
    assert np.isfinite(matte).all()


def test_a_file_of_another_model_than_its_manifest_says_is_refused(fetched: Weights) -> None:
    manifest = msgspec.structs.replace(fetched.manifest, name="inspyrenet-base")
    with pytest.raises(WeightsError, match="inspyrenet-fast in f32, but its manifest says inspyrenet-base in f32"):
        load_engine(Weights(manifest, fetched.path), device="cpu")
