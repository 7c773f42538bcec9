"""What the shopper wants back: canonical, hashable, and small enough to travel as object metadata.

The canonical form leaves out every field that has its default, so a field added later changes no digest of a
recipe that does not use it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from events.errors import UnsupportedRecipeError
from events.patterns import whole

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MAX_RECIPES",
    "RENDERER_VERSION",
    "SIDES",
    "Background",
    "Blur",
    "Color",
    "Crop",
    "Effect",
    "Format",
    "Gradient",
    "Outline",
    "Picture",
    "Position",
    "Recipe",
    "Shadow",
    "Size",
]

RENDERER_VERSION: Final = 1
"""Part of every recipe digest: raise it when `imaging` renders the same recipe differently."""

MAX_RECIPES: Final = 8

Effect = Literal[
    "none",
    "black_white",
    "enhanced_black_white",
    "pop_art",
    "halftone",
    "dither",
    "eight_bit",
    "sketch",
    "sepia",
]
"""What is done to the subject; the background keeps its colours."""

Format = Literal["png", "webp", "jpg", "avif", "mask"]
Size = Literal["preview", "medium", "full"]

SIDES: Final[dict[Size, int | None]] = {"preview": 640, "medium": 1920, "full": None}
"""Longest side of each size, px."""

HexColor = Annotated[str, msgspec.Meta(pattern=whole("#[0-9a-f]{6}"), description="sRGB as #rrggbb, lower case")]


class Color(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="color"):
    """One flat colour behind the subject: `#rrggbb`, lower case."""

    color: HexColor


class Gradient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="gradient"):
    """Colours at equal distances along a line, as CSS draws `linear-gradient(ANGLEdeg, COLORS)`."""

    colors: Annotated[tuple[HexColor, ...], msgspec.Meta(min_length=2, max_length=4)]
    angle: Annotated[int, msgspec.Meta(ge=0, le=359, description="degrees: 0 is upwards, 90 to the right")] = 180


class Blur(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="blur"):
    """The photo's own background out of focus, the subject taken out of it."""

    radius: Annotated[int, msgspec.Meta(ge=5, le=100, description="thousandths of the result's longer side")] = 20


class Picture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="image"):
    """An image of the tenant's, as large as covers the frame, its middle in the middle."""

    asset: Annotated[
        str, msgspec.Meta(pattern=whole("[0-9a-f]{64}"), description="the image's SHA-256, lower-case hex")
    ]


Background = Color | Gradient | Blur | Picture


class Crop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Crop to the subject, with a margin in percent of the subject's longer side or in px of the photo.

    No margin reaches beyond the photo.
    """

    margin: Annotated[int, msgspec.Meta(ge=0, le=100, description="percent of the subject's longer side")] = 0
    margin_px: Annotated[int, msgspec.Meta(ge=0, le=4096, description="px of the photo; then margin must be 0")] = 0

    def __post_init__(self) -> None:
        _refuse(self.conflicts(msgspec.structs.asdict(self)), prefix="crop.")

    @staticmethod
    def conflicts(given: Mapping[str, object]) -> dict[str, str]:
        """What is wrong with fields that are each well-formed, by the field to change."""
        both = given.get("margin") and given.get("margin_px")
        return {"margin_px": "give margin or margin_px, not both"} if both else {}


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the subject stands in the frame: 0 touches the left or upper edge, 50 is central, 100 the other edge."""

    x: Annotated[int, msgspec.Meta(ge=0, le=100, description="percent of the free width")] = 50
    y: Annotated[int, msgspec.Meta(ge=0, le=100, description="percent of the free height")] = 50


class Shadow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A drop shadow of the subject and its outline. Lengths are thousandths of the result's longer side."""

    color: HexColor = "#000000"
    opacity: Annotated[int, msgspec.Meta(ge=1, le=100, description="percent")] = 40
    blur: Annotated[int, msgspec.Meta(ge=0, le=100, description="thousandths: how soft its edge is")] = 12
    x: Annotated[int, msgspec.Meta(ge=-200, le=200, description="thousandths: how far to the right")] = 0
    y: Annotated[int, msgspec.Meta(ge=-200, le=200, description="thousandths: how far down")] = 10


class Outline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line around the subject and a backing under it, as a sticker has."""

    color: HexColor = "#ffffff"
    width: Annotated[int, msgspec.Meta(ge=1, le=100, description="thousandths of the result's longer side")] = 12


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One result of a job. A jpg needs a background; a mask has no effect, background, shadow or outline.

    The frame is the photo's, or the crop's; shadow and outline end at it.
    """

    effect: Effect = "none"
    background: Annotated[Background | None, msgspec.Meta(description="null is transparent")] = None
    crop: Annotated[Crop | None, msgspec.Meta(description="null keeps the photo's frame")] = None
    scale: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=100)] | None,
        msgspec.Meta(description="percent of the frame that the subject fills, wide or high; null keeps its size"),
    ] = None
    position: Annotated[
        Position | None, msgspec.Meta(description="null keeps the subject's place; with a scale, it is central")
    ] = None
    shadow: Shadow | None = None
    outline: Outline | None = None
    format: Annotated[Format, msgspec.Meta(description="mask is the 8-bit alpha alone, as PNG")] = "png"
    size: Annotated[Size, msgspec.Meta(description="longest side: preview 640 px, medium 1920 px; never enlarged")] = (
        "full"
    )
    max_side: Annotated[int, msgspec.Meta(ge=16, le=16384, description="longest side of the result, px")] | None = None
    dpi: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=2400)] | None,
        msgspec.Meta(description="resolution for print, written into the file; changes no pixel"),
    ] = None

    def __post_init__(self) -> None:
        _refuse(self.conflicts(msgspec.structs.asdict(self)))

    @staticmethod
    def conflicts(given: Mapping[str, object]) -> dict[str, str]:
        """What is wrong with fields that are each well-formed, by the field to change."""
        if given.get("format") == "jpg" and given.get("background") is None:
            return {"background": "jpg has no transparency: give a background, or ask for png, webp or avif"}
        if given.get("format") != "mask":
            return {}
        return {
            field: "a mask has none; leave it out, or ask for another format"
            for field in ("effect", "background", "shadow", "outline")
            if given.get(field) not in (None, "none")  # what was given may not be hashable
        }

    @property
    def longest_side(self) -> int | None:
        """The most px that the result's longer side may have; None where nothing limits it."""
        return min((side for side in (self.max_side, SIDES[self.size]) if side is not None), default=None)

    def canonical(self) -> bytes:
        """Compact JSON with sorted keys and without defaults: equal recipes have equal bytes."""
        return msgspec.json.encode(_without_defaults(self), order="sorted")

    def digest(self) -> str:
        """32 hex digits that name the result of this recipe, as this version of the renderer makes it."""
        return hashlib.sha256(b"renderer-%d:%s" % (RENDERER_VERSION, self.canonical())).hexdigest()[:32]

    @property
    def extension(self) -> str:
        return "png" if self.format == "mask" else self.format

    @property
    def content_type(self) -> str:
        return {"jpg": "image/jpeg", "mask": "image/png"}.get(self.format, f"image/{self.format}")


def _refuse(conflicts: Mapping[str, str], *, prefix: str = "") -> None:
    if conflicts:
        raise UnsupportedRecipeError("; ".join(f"{prefix}{field}: {problem}" for field, problem in conflicts.items()))


def _without_defaults(value: object) -> object:
    if not isinstance(value, msgspec.Struct):
        return value
    given = {
        field.name: _without_defaults(part)
        for field in msgspec.structs.fields(value)
        if (part := getattr(value, field.name)) != field.default
    }
    config = value.__struct_config__
    return given if config.tag_field is None else given | {config.tag_field: config.tag}
