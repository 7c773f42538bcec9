"""Photos with mattes: composites whose true foreground is known, and real mattes of the sample photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from imaging.decode import decode
from imaging.matte import decode_matte

if TYPE_CHECKING:
    from imaging.photo import Gray, Photo, Rgb

PHOTOS: Final = Path(__file__).parents[3] / "assets" / "photos"
MATTES: Final = Path(__file__).parent / "mattes"


class Scene(NamedTuple):
    rgb: Rgb
    alpha: Gray
    truth: Rgb


def texture(height: int, width: int, color: tuple[int, int, int], contrast: float, seed: int) -> Rgb:
    """A colour with cloudy variations of several sizes."""
    random = np.random.default_rng(seed)
    clouds = np.zeros((height, width, 3), np.float32)
    for size in (4, 16, 64):
        shape = (max(2, height // size), max(2, width // size), 3)
        clouds += cv2.resize(
            random.normal(0, 1, shape).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
    return np.asarray(np.rint(np.clip(np.array(color) + contrast * clouds, 0, 255)), np.uint8)


def hairy_matte(height: int, width: int, *, hairs: int = 200, seed: int = 5) -> Gray:
    """An ellipse with curly hairs, softened as a network's matte is."""
    matte = np.zeros((height, width), np.uint8)
    cv2.ellipse(matte, (width // 2, height // 2), (width // 4, height // 3), 0, 0, 360, 255, -1)
    random = np.random.default_rng(seed)
    for angle in random.uniform(0, 2 * np.pi, hairs):
        point = np.array([width / 2 + width / 4 * np.cos(angle), height / 2 + height / 3 * np.sin(angle)])
        direction = np.array([np.cos(angle), np.sin(angle)])
        strand = [point]
        for _ in range(12):
            direction += random.normal(0, 0.25, 2)
            point = point + direction / np.linalg.norm(direction) * height * 0.01
            strand.append(point)
        cv2.polylines(matte, [np.rint(strand).astype(np.int32)], False, 255, max(1, height // 500), cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(matte, (0, 0), max(0.8, height / 700)), np.uint8)


def composite(height: int, width: int) -> Scene:
    """A hairy subject over another texture: what a camera would see, alpha, and the subject's true colours."""
    foreground = texture(height, width, (180, 110, 70), 14, 1)
    background = texture(height, width, (60, 140, 90), 20, 2)
    alpha = hairy_matte(height, width)
    share = alpha[..., None] / 255
    return Scene(np.rint(foreground * share + background * (1 - share)).astype(np.uint8), alpha, foreground)


def sample(name: str) -> tuple[Photo, Gray]:
    """A sample photo by its file name, with the matte that ISNet finds in it."""
    photo = decode((PHOTOS / name).read_bytes())
    return photo, decode_matte((MATTES / f"{Path(name).stem}.png").read_bytes())
