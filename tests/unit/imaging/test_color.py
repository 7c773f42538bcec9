"""Profiles and colour spaces to sRGB."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest
from PIL import Image, ImageCms

from imaging.color import conversion
from imaging.decode import decode
from tests.unit.imaging.image_files import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    cmyk_profile,
    gray_profile,
    photo,
    rgb_profile,
    saved,
)

SRGB_D50: Final = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141)]
DISPLAY_P3_D50: Final = [(0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)]
GAMMA: Final = 2.19921875  # Adobe RGB's, the nearest that an ICC curve of one number holds to 2.2


def srgb_of(rgb: tuple[int, int, int], primaries: list[tuple[float, float, float]], gamma: float) -> tuple[int, ...]:
    """The sRGB colour of `rgb` in the space of these primaries, by the matrices alone."""
    linear = (np.array(rgb) / 255) ** gamma
    xyz = np.array(primaries).T @ linear
    wanted = np.clip(np.linalg.inv(np.array(SRGB_D50).T) @ xyz, 0, 1)
    encoded = np.where(wanted <= 0.0031308, 12.92 * wanted, 1.055 * wanted ** (1 / 2.4) - 0.055)
    return tuple(int(value) for value in np.rint(encoded * 255))


def near(pixel: np.ndarray[tuple[int], np.dtype[np.uint8]], expected: tuple[int, ...], tolerance: int = 2) -> bool:
    return bool(np.abs(pixel.astype(int) - expected).max() <= tolerance)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_wide_gamut_profile_is_converted(kind: str) -> None:
    options = {"quality": 100} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    data = saved(photo(), kind, icc_profile=rgb_profile(DISPLAY_P3_D50, GAMMA), **options)
    pixels = decode(data).rgb
    expected = srgb_of(RED, DISPLAY_P3_D50, GAMMA)
    assert expected != RED
    assert near(pixels[20, 20], expected, 4 if kind == "JPEG" else 2)
    assert near(pixels[20, -20], srgb_of(GREEN, DISPLAY_P3_D50, GAMMA), 4 if kind == "JPEG" else 2)


def test_a_profile_that_is_srgb_costs_nothing() -> None:
    named = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert conversion("RGB", named) is None
    assert conversion("RGB", None) is None
    assert conversion("RGB", rgb_profile(DISPLAY_P3_D50, GAMMA)) is not None


def test_the_alpha_is_left_alone_by_a_profile() -> None:
    image = photo().convert("RGBA")
    image.putalpha(77)
    decoded = decode(saved(image, "PNG", icc_profile=rgb_profile(DISPLAY_P3_D50, GAMMA)))
    assert decoded.alpha is not None
    assert (decoded.alpha == 77).all()
    assert near(decoded.rgb[20, 20], srgb_of(RED, DISPLAY_P3_D50, GAMMA))


def test_a_palette_is_converted_by_its_profile() -> None:
    decoded = decode(saved(photo().quantize(4), "PNG", icc_profile=rgb_profile(DISPLAY_P3_D50, GAMMA)))
    assert near(decoded.rgb[20, 20], srgb_of(RED, DISPLAY_P3_D50, GAMMA))


def test_a_grey_profile_is_converted() -> None:
    gray = Image.new("L", (20, 10), 64)
    lightened = decode(saved(gray, "PNG", icc_profile=gray_profile(1.0))).rgb[5, 5]
    assert near(lightened, srgb_of((64, 64, 64), SRGB_D50, 1.0))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_is_read_as_ideal_inks(kind: str) -> None:
    pixels = decode(saved(photo().convert("CMYK"), kind, **({"quality": 100} if kind == "JPEG" else {}))).rgb
    colors = [pixels[y, x] for y in (20, -20) for x in (20, -20)]
    assert all(near(color, expected, 3) for color, expected in zip(colors, (RED, GREEN, BLUE, WHITE), strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_with_a_profile_is_converted_by_it(kind: str) -> None:
    inks = Image.new("CMYK", (32, 16), (0, 0, 0, 0))
    inks.paste((255, 0, 0, 0), (0, 0, 16, 16))
    orange = (180, 170, 190)  # L 70, a 42, b 62
    pixels = decode(saved(inks, kind, icc_profile=cmyk_profile(orange))).rgb
    red, green, blue = (int(value) for value in pixels[8, 4])
    assert red > 200 > green > 110 > blue
    assert near(pixels[8, 28], (255, 255, 255), 3)


def test_lab_is_converted() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(photo(), to_lab)
    assert lab is not None
    pixels = decode(saved(lab, "TIFF")).rgb
    assert near(pixels[20, 20], RED, 6)
    assert near(pixels[20, -20], GREEN, 6)


@pytest.mark.parametrize(
    "profile",
    [
        b"not a profile",
        rgb_profile(DISPLAY_P3_D50, GAMMA)[:200],
        gray_profile(1.0),
        cmyk_profile((180, 170, 190)),
        rgb_profile(DISPLAY_P3_D50, GAMMA)[:132],
    ],
    ids=["text", "cut", "grey", "cmyk", "no tags"],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_profile_that_is_broken_or_for_other_colours_is_ignored(profile: bytes, kind: str) -> None:
    options = {"quality": 100} if kind == "JPEG" else {}
    assert near(decode(saved(photo(), kind, icc_profile=profile, **options)).rgb[20, 20], RED, 4)
