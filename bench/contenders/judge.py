"""Compares what the contenders made. Not a contender itself, but its libraries stay out of the benchmark's process.

| request | answer |
|---|---|
| `{"mattes": [A, B]}`, .npy files of one shape | `largest` and `mean` absolute difference, 0 to 1 |
| `{"alphas": [A, B]}`, cutouts of one photo | the same of their alphas, 0 to 255 |
| `{"photo": P, "cutout": C}` | `edge`: how far its colours are from a reference's, 0 to 255 |
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pymatting import estimate_foreground_ml

if TYPE_CHECKING:
    from numpy.typing import NDArray


def difference(first: NDArray[np.floating], second: NDArray[np.floating]) -> dict[str, float]:
    absolute = np.abs(first - second)
    return {"largest": float(absolute.max()), "mean": float(absolute.mean())}


def edge(photo: NDArray[np.uint8], cutout: NDArray[np.uint8]) -> float:
    """The mean difference of premultiplied colours over the soft edge to those that pymatting estimates.

    Estimated from the photo with the cutout's own alpha (`estimate_foreground_ml`), so that the alpha has no part in
    it. (H, W, 3) and (H, W, 4), 8 bits.
    """
    alpha = cutout[:, :, 3] / 255
    soft = (alpha > 0) & (alpha < 1)
    if not soft.any():
        return 0.0
    reference = 255 * estimate_foreground_ml(photo / 255, alpha)
    premultiplied = alpha[soft, None] * (cutout[:, :, :3][soft] - reference[soft])
    return float(np.abs(premultiplied).mean())


def _cutout(path: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGBA"))


def _judge(request: dict[str, str | list[str]]) -> dict[str, float]:
    if "mattes" in request:
        first, second = (np.load(path) for path in request["mattes"])
        return difference(first, second)
    if "alphas" in request:
        first, second = (_cutout(path)[:, :, 3].astype(np.float32) for path in request["alphas"])
        return difference(first, second)
    photo = np.asarray(Image.open(str(request["photo"])).convert("RGB"))
    return {"edge": edge(photo, _cutout(str(request["cutout"])))}


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(_judge(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
