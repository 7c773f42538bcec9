"""What each part of a recipe costs: seconds of one core at 1, 12 and 48 megapixels.

`python -m bench.effects` prints the table as it grows and writes it to `bench/results/effects.json`. CPU seconds are
counted, with one thread as in a function of one vCPU: what else runs on the machine changes them little.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, get_args

import cv2
import msgspec
import numpy as np
from PIL import features

from events.recipe import Blur, Color, Crop, Effect, Gradient, Outline, Picture, Recipe, Shadow
from imaging.backdrop import backdrop
from imaging.decode import decode
from imaging.effects import applied
from imaging.encode import encode_avif, encode_gray, encode_jpeg, encode_png, encode_webp
from imaging.layer import Layer, visible
from imaging.matte import decode_matte
from imaging.photo import Photo
from imaging.placement import place
from imaging.underlay import outlined, shadowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.recipe import Background
    from imaging.photo import Rgb

__all__ = ["EffectCosts", "PartCost", "main"]

_ROOT: Final = Path(__file__).parent.parent
_PHOTO: Final = _ROOT / "assets" / "photos" / "astronaut.jpg"
_MATTE: Final = _ROOT / "tests" / "unit" / "imaging" / "mattes" / "astronaut.png"
_ASSET: Final = _ROOT / "assets" / "photos" / "temple.jpg"
_OUT: Final = Path("bench/results/effects.json")
_ROUNDS: Final = {1: 5, 12: 3, 48: 1}
"""By megapixels."""
_GRAIN: Final = 3.5  # standard deviation in levels, so that files have about the size of a camera's


class PartCost(msgspec.Struct, frozen=True, kw_only=True):
    """CPU seconds of each round, by megapixels."""

    part: str
    seconds: dict[int, list[float]]


class EffectCosts(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    versions: dict[str, str]
    costs: list[PartCost]


def main() -> int:
    """Exit status 0; the table is for reading."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, without 48 megapixels")
    parser.add_argument("--out", type=Path, default=_OUT)
    options = parser.parse_args()
    rounds = {1: 1, 12: 1} if options.quick else _ROUNDS
    cv2.setNumThreads(1)
    seconds: dict[str, dict[int, list[float]]] = {}
    for megapixels, count in rounds.items():
        photo, alpha = _enlarged(megapixels)
        print(f"{megapixels} megapixels", flush=True)
        for part, task in _tasks(photo, alpha).items():
            taken = [_timed(task) for _ in range(count)]
            seconds.setdefault(part, {})[megapixels] = taken
            print(f"  {part:28}{median(taken):8.3f} s", flush=True)
    costs = EffectCosts(
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        versions={"opencv": cv2.__version__, "numpy": np.__version__, "avif": features.version("avif") or ""},
        costs=[PartCost(part=part, seconds=taken) for part, taken in seconds.items()],
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(costs), indent=2) + b"\n")
    print(f"written: {options.out}")
    return 0


def _enlarged(megapixels: int) -> tuple[Photo, Rgb]:
    """The sample and its matte at so many million pixels, with grain."""
    photo, matte = decode(_PHOTO.read_bytes()), decode_matte(_MATTE.read_bytes())
    scale = (megapixels * 1e6 / matte.size) ** 0.5
    size = round(photo.width * scale), round(photo.height * scale)
    smooth = cv2.resize(photo.rgb, size, interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(0).standard_normal((size[1], size[0]), np.float32) * _GRAIN
    rgb = cv2.add(smooth, cv2.merge((grain, grain, grain)), dtype=cv2.CV_8U)
    alpha = cv2.resize(matte, size, interpolation=cv2.INTER_LINEAR)
    return Photo(np.asarray(rgb, np.uint8)), np.asarray(alpha, np.uint8)


def _tasks(photo: Photo, alpha: Rgb) -> dict[str, Callable[[], object]]:
    """What is measured, by name; each on its own, on a layer that is there."""
    layer = visible(photo.rgb, alpha)
    tasks: dict[str, Callable[[], object]] = {}
    for effect in get_args(Effect):
        tasks[f"effect {effect}"] = lambda effect=effect: applied(effect, layer)  # type: ignore[misc]  # inferred as Any
    for background in (
        Color(color="#ffffff"),
        Gradient(colors=("#ffffff", "#808080")),
        Blur(),
        Picture(asset="0" * 64),
    ):
        tasks[f"background {background.__struct_config__.tag}"] = _behind(background, photo, alpha)
    tasks["outline"] = lambda: outlined(layer, Outline())
    tasks["shadow"] = lambda: shadowed(layer, Shadow())
    for name, recipe in {"crop": Recipe(crop=Crop(margin=5)), "scale 80": Recipe(scale=80)}.items():
        tasks[name] = lambda recipe=recipe: place(alpha, recipe).layer(layer.rgb, alpha)  # type: ignore[misc]  # inferred as Any
    return tasks | _formats(layer)


def _behind(background: Background, photo: Photo, alpha: Rgb) -> Callable[[], object]:
    placement = place(alpha, Recipe(background=background))
    return lambda: backdrop(background, placement, photo, alpha, lambda _asset: decode(_ASSET.read_bytes()))


def _formats(layer: Layer) -> dict[str, Callable[[], object]]:
    return {
        "format png": lambda: encode_png(*layer),
        "format webp": lambda: encode_webp(*layer),
        "format avif": lambda: encode_avif(*layer),
        "format jpg": lambda: encode_jpeg(layer.rgb),
        "format mask": lambda: encode_gray(place(layer.alpha, Recipe(format="mask")).mask(layer.alpha)),
    }


def _timed(task: Callable[[], object]) -> float:
    started = time.process_time()
    task()
    return round(time.process_time() - started, 4)


if __name__ == "__main__":
    raise SystemExit(main())
