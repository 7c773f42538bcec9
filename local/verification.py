"""Whether a result is right, as far as a program can tell: a matte's quality is for eyes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from local.notifications import Notification

__all__ = ["problems_of_image", "problems_of_notification"]

_LEAST_SHARE: Final = 0.02


def problems_of_image(photo: bytes, result: dict[str, Any], data: bytes) -> list[str]:
    """What is wrong with a downloaded result of that photo; nothing, if it is as promised."""
    with Image.open(BytesIO(photo)) as opened:
        size = ImageOps.exif_transpose(opened).size
    with Image.open(BytesIO(data)) as image:
        image.load()
        mask = result["recipe"].get("format") == "mask"
        alpha = np.asarray(image if mask else image.getchannel("A")) if mask or "A" in image.mode else None
        checks = {
            f"size is {image.size}, the photo's is {size}": image.size == size,
            f"size is {image.size}, announced {result['width']}x{result['height']}": image.size
            == (result["width"], result["height"]),
            f"{len(data)} bytes, announced {result['bytes']}": len(data) == result["bytes"],
            f"mode is {image.mode}": image.mode == ("L" if mask else "RGBA"),
            "Exif data in the result": not image.getexif() and "exif" not in image.info,
        }
    found = [problem for problem, holds in checks.items() if not holds]
    if alpha is None:
        return [*found, "no transparency"]
    opaque, transparent = float((alpha >= 250).mean()), float((alpha <= 5).mean())
    if min(opaque, transparent) < _LEAST_SHARE:
        found.append(f"{opaque:.0%} of it is opaque, {transparent:.0%} transparent: that is no cutout")
    return found


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
