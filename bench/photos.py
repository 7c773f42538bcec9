"""Photos of any size for the benchmarks, made from the sample photos and kept in a folder.

`python -m bench.photos FOLDER` makes those that are missing. Enlarging alone would give soft, easily compressed
pictures, so texture of the photo itself and grain are added until a JPEG has a phone's bytes for its pixels.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from bench.pictures import LOAD, MEMORY, SINGLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.pictures import Picture
    from imaging.photo import Rgb

__all__ = ["main"]

_SAMPLES: Final = Path(__file__).parent.parent / "assets" / "photos"
_TEXTURE: Final = 0.4
_GRAIN: Final = 3.5  # standard deviation in levels, as of a phone at a middling sensitivity
_QUALITY: Final = {".jpg": (cv2.IMWRITE_JPEG_QUALITY, 95), ".webp": (cv2.IMWRITE_WEBP_QUALITY, 90), ".png": ()}


def _make(picture: Picture, folder: Path) -> None:
    """Write the file, whole or not at all, unless it is there."""
    path = folder / picture.name
    if path.exists():
        return
    unfinished = path.with_name(f"unfinished-{path.name}")
    if not cv2.imwrite(str(unfinished), _enlarged(picture), _QUALITY[picture.extension]):
        raise OSError(f"{unfinished} could not be written")
    unfinished.replace(path)


def _enlarged(picture: Picture) -> Rgb:
    source = cv2.imread(str(_SAMPLES / picture.subject))
    if source is None:
        raise FileNotFoundError(_SAMPLES / picture.subject)
    scale = (picture.megapixels * 1e6 / (source.shape[0] * source.shape[1])) ** 0.5
    width, height = round(source.shape[1] * scale), round(source.shape[0] * scale)
    smooth = cv2.resize(source, (width, height), interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    detail = _detail(np.asarray(cv2.cvtColor(source, cv2.COLOR_BGR2GRAY)), width, height)
    return np.asarray(cv2.add(smooth, cv2.merge((detail, detail, detail)), dtype=cv2.CV_8U))


def _detail(gray: NDArray[np.uint8], width: int, height: int) -> NDArray[np.int16]:
    """The photo's own fine texture, tiled without seams, and grain."""
    texture = gray.astype(np.float32) - cv2.GaussianBlur(gray, (0, 0), 2)
    tile = np.block([[texture, texture[:, ::-1]], [texture[::-1], texture[::-1, ::-1]]])
    repeats = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    grain = np.random.default_rng(0).standard_normal((height, width), np.float32)
    return np.rint(_TEXTURE * np.tile(tile, repeats)[:height, :width] + _GRAIN * grain).astype(np.int16)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.photos", description="Make the benchmarks' photos.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for picture in (*SINGLE.values(), *LOAD, *MEMORY):
        _make(picture, folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
