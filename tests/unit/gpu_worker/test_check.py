"""The check tells each precision's difference from the published network, and fails where it is beyond the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
import torch
from PIL import Image

from gpu_worker import check
from gpu_worker.check import Comparison, compare, main
from gpu_worker.engines.preprocessing import Preprocessing
from gpu_worker.pack import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from gpu_worker.check import Network
    from gpu_worker.weights import Precision

_SIDE: Final = 8


def _first_channel(image: Tensor) -> Tensor:
    return image[:, :1]


def _off_by(*differences: float) -> Network:
    """The first channel, with as many of its pixels changed."""

    def network(image: Tensor) -> Tensor:
        matte = _first_channel(image).clone()
        matte.view(-1)[: len(differences)] += torch.tensor(differences)
        return matte

    return network


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 255, (_SIDE, _SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def _compared(network: Network, photo: Path, precision: Precision = "f32") -> Comparison:
    preprocessing = Preprocessing(_SIDE, divisor=255, mean=(0, 0, 0), scale=(1, 1, 1))
    (comparison,) = compare(_first_channel, {precision: network}, [photo], preprocessing)
    return comparison


def test_the_largest_and_the_mean_difference_are_those_of_the_alphas(photo: Path) -> None:
    comparison = _compared(_off_by(0.25, -0.5), photo)
    assert (comparison.photo, comparison.precision) == ("photo.png", "f32")
    assert comparison.largest == pytest.approx(0.5)
    assert comparison.mean == pytest.approx(0.75 / _SIDE**2)
    assert comparison.seconds > 0
    assert comparison.published_seconds > 0


@pytest.mark.parametrize(
    ("precision", "difference", "within"),
    [
        ("f32", 5e-4, True),
        ("f32", 7e-4, False),
        ("bf16", 0.12, True),
        ("bf16", 0.13, False),
        ("f32", float("nan"), False),
        ("f16", float("nan"), False),
    ],
)
def test_float32_is_limited_at_every_pixel_and_the_others_on_average(
    photo: Path, precision: Precision, difference: float, *, within: bool
) -> None:
    assert _compared(_off_by(difference), photo, precision).within is within


@pytest.fixture
def run(photo: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[Precision, Network]], int]:
    """The command with networks that are not loaded from its checkpoint."""

    def start(networks: dict[Precision, Network]) -> int:
        def load(
            _checkpoint: Path, _side: int, _device: str, precisions: Sequence[Precision]
        ) -> tuple[Network, dict[Precision, Network]]:
            return _first_channel, {precision: networks[precision] for precision in precisions}

        monkeypatch.setattr(check, "_networks", load)
        monkeypatch.setattr(check, "origin_of", lambda *_: Origin("inspyrenet-fast", "a test", "being made up"))
        chosen = [argument for precision in networks for argument in ("--precision", precision)]
        return main(["checkpoint.pth", str(photo), *chosen])

    return start


def test_where_every_precision_is_within_its_limit_the_exit_code_is_0(
    run: Callable[[dict[Precision, Network]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run({"f32": _first_channel, "bf16": _off_by(0.1)}) == 0
    said = capsys.readouterr().out
    assert "f32: within its limit (largest 0.0006)" in said
    assert "bf16: within its limit (mean 0.0020)" in said


def test_one_precision_beyond_its_limit_makes_the_exit_code_1_and_is_named_with_the_photo(
    run: Callable[[dict[Precision, Network]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run({"f32": _off_by(0.1), "bf16": _off_by(0.1)}) == 1
    said = capsys.readouterr().out
    assert "f32: beyond its limit (largest 0.0006) on photo.png" in said
    assert "bf16: within its limit" in said


def test_a_checkpoint_that_is_not_known_is_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(b"something else")
    assert main([str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: MD5 ")


def test_a_device_that_is_not_there_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["checkpoint.pth", "--device", "cuda"]) == 1
    assert "torch finds no GPU here" in capsys.readouterr().err
