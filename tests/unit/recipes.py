"""Recipes of every kind, for property tests."""

from __future__ import annotations

from typing import Final, get_args

from hypothesis import strategies as st

from events.recipe import (
    Background,
    Blur,
    Color,
    Crop,
    Effect,
    Format,
    Gradient,
    Outline,
    Picture,
    Position,
    Recipe,
    Shadow,
    Size,
)

__all__ = ["recipes"]

_colors: Final = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")
_backgrounds: Final[st.SearchStrategy[Background]] = st.one_of(
    st.builds(Color, color=_colors),
    st.builds(Gradient, colors=st.lists(_colors, min_size=2, max_size=4).map(tuple), angle=st.integers(0, 359)),
    st.builds(Blur, radius=st.integers(5, 100)),
    st.builds(Picture, asset=st.integers(0, 2**256 - 1).map(lambda value: f"{value:064x}")),
)
_crops: Final = st.one_of(st.builds(Crop, margin=st.integers(0, 100)), st.builds(Crop, margin_px=st.integers(0, 4096)))
_positions: Final = st.builds(Position, x=st.integers(0, 100), y=st.integers(0, 100))
_shadows: Final = st.builds(
    Shadow,
    color=_colors,
    opacity=st.integers(1, 100),
    blur=st.integers(0, 100),
    x=st.integers(-200, 200),
    y=st.integers(-200, 200),
)
_outlines: Final = st.builds(Outline, color=_colors, width=st.integers(1, 100))


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Any recipe whose parts go together."""
    image_format = draw(st.sampled_from(get_args(Format)))
    placed = {
        "crop": draw(st.none() | _crops),
        "scale": draw(st.none() | st.integers(1, 100)),
        "position": draw(st.none() | _positions),
        "format": image_format,
        "size": draw(st.sampled_from(get_args(Size))),
        "max_side": draw(st.none() | st.integers(16, 16384)),
        "dpi": draw(st.none() | st.integers(1, 2400)),
    }
    if image_format == "mask":
        return Recipe(**placed)
    return Recipe(
        effect=draw(st.sampled_from(get_args(Effect))),
        background=draw(_backgrounds if image_format == "jpg" else st.none() | _backgrounds),
        shadow=draw(st.none() | _shadows),
        outline=draw(st.none() | _outlines),
        **placed,
    )
