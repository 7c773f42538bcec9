"""What may be done to the subject: `applied` runs an effect of a recipe on a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from imaging.effects.drawings import pop_art, sketch
from imaging.effects.pixels import dither, eight_bit
from imaging.effects.screens import halftone
from imaging.effects.tones import black_white, enhanced_black_white, sepia
from imaging.layer import Layer, bounds, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.recipe import Effect

__all__ = ["applied"]


def _unchanged(layer: Layer, _side: float) -> Layer:
    return layer


_EFFECTS: Final[dict[Effect, Callable[[Layer, float], Layer]]] = {
    "none": _unchanged,
    "black_white": black_white,
    "enhanced_black_white": enhanced_black_white,
    "pop_art": pop_art,
    "halftone": halftone,
    "dither": dither,
    "eight_bit": eight_bit,
    "sketch": sketch,
    "sepia": sepia,
}
"""Each maps a layer, and the longer side in px of the subject in it, to one of the same size.

Dots, strokes and pixels are sized by that side: a preview looks like the full picture, and a subject like itself
however much is around it.
"""


def applied(effect: Effect, layer: Layer) -> Layer:
    """The layer with the effect. Where nothing is visible, nothing is computed and nothing changes."""
    box = bounds(layer.alpha, 1)
    subject = bounds(layer.alpha) or box
    if effect == "none" or box is None or subject is None:
        return layer
    part = Layer(np.ascontiguousarray(layer.rgb[box.slices]), np.ascontiguousarray(layer.alpha[box.slices]))
    changed = visible(*_EFFECTS[effect](part, subject.longer_side))
    rgb, alpha = np.zeros_like(layer.rgb), np.zeros_like(layer.alpha)
    rgb[box.slices], alpha[box.slices] = changed
    return Layer(rgb, alpha)
