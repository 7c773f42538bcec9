"""Whether a result is right, as far as a program can tell: a matte's quality is for eyes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageOps

from events.recipe import Recipe
from events.validation import convert
from imaging.layer import fitted

if TYPE_CHECKING:
    from local.notifications import Notification

__all__ = ["problems_of_image", "problems_of_notification"]

_LEAST_SHARE: Final = 0.02
_GREY: Final = frozenset({"black_white", "enhanced_black_white"})


def problems_of_image(photo: bytes, result: dict[str, Any], data: bytes) -> list[str]:
    """What is wrong with a downloaded result of that photo; nothing, if it is as its recipe promises."""
    recipe: Recipe = convert(result["recipe"], Recipe)
    with Image.open(BytesIO(photo)) as opened:
        size = ImageOps.exif_transpose(opened).size
    with Image.open(BytesIO(data)) as image:
        image.load()
        full = fitted(*size, recipe.longest_side or max(size))
        checks = {
            f"size is {image.size}, the photo's gives {full}": recipe.crop is not None or image.size == full,
            f"size is {image.size}, announced {result['width']}x{result['height']}": image.size
            == (result["width"], result["height"]),
            f"{len(data)} bytes, announced {result['bytes']}": len(data) == result["bytes"],
            f"mode is {image.mode}": image.mode == _mode(recipe),
            "Exif data in the result": recipe.dpi is not None or ("exif" not in image.info and not image.getexif()),
        }
        pixels = np.asarray(image)
        alpha = pixels[..., -1] if image.mode == "RGBA" else pixels if image.mode == "L" else None
    found = [problem for problem, holds in checks.items() if not holds]
    if _promises_grey(recipe) and pixels.ndim == 3 and np.ptp(pixels[pixels[..., -1] > 0][:, :3], axis=-1).any():
        found.append(f"the effect is {recipe.effect}, and it has colours")
    if alpha is not None and recipe.crop is None:
        opaque, transparent = float((alpha >= 250).mean()), float((alpha <= 5).mean())
        if min(opaque, transparent) < _LEAST_SHARE:
            found.append(f"{opaque:.0%} of it is opaque, {transparent:.0%} transparent: that is no cutout")
    return found


def _promises_grey(recipe: Recipe) -> bool:
    """Whether every visible pixel is: the subject alone is turned grey, and only PNG keeps that to the last bit."""
    alone = recipe.background is None and recipe.shadow is None and recipe.outline is None
    return recipe.effect in _GREY and recipe.format == "png" and alone


def _mode(recipe: Recipe) -> str:
    if recipe.format == "mask":
        return "L"
    return "RGBA" if recipe.background is None else "RGB"


def problems_of_notification(notification: Notification, status: dict[str, Any], cache: str) -> list[str]:
    """What differs between the notification, the job's status and the expected cache answer."""
    told = notification.result
    if not hasattr(told, "results"):
        return [f"the job failed: {told}"]
    found = []
    answers = {result.cache for result in told.results}
    if answers != {cache}:
        found.append(f"cache answers are {sorted(answers)}, expected {cache}")
    if status["state"] != "done" or status["cache"] != cache:
        found.append(f"status says {status['state']}, {status.get('cache')}")
    if len(told.results) != len(status["results"]):
        found.append(f"{len(told.results)} results were told, the status has {len(status['results'])}")
    return found
