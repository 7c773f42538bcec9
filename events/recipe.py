"""What the shopper wants back: canonical, hashable, and small enough to travel as object metadata.

The canonical form leaves out every field that has its default, so a field added later changes no digest of a
recipe that does not use it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

import msgspec

from events.errors import UnsupportedRecipeError
from events.patterns import whole

__all__ = ["MAX_RECIPES", "RENDERER_VERSION", "Color", "Crop", "Effect", "Format", "Recipe"]

RENDERER_VERSION: Final = 1
"""Part of every recipe digest: raise it when `imaging` renders the same recipe differently."""

MAX_RECIPES: Final = 8

Effect = Literal["none", "black_white"]
Format = Literal["png", "webp", "jpg", "mask"]


class Color(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="color"):
    """One flat colour behind the subject: `#rrggbb`, lower case."""

    color: Annotated[str, msgspec.Meta(pattern=whole("#[0-9a-f]{6}"), description="sRGB as #rrggbb, lower case")]


class Crop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Crop to the subject, with a margin in percent of the subject's longer side."""

    margin: Annotated[int, msgspec.Meta(ge=0, le=100, description="percent of the subject's longer side")] = 0


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One result of a job. A jpg needs a background; a mask has neither effect nor background."""

    effect: Effect = "none"
    background: Annotated[Color | None, msgspec.Meta(description="null is transparent")] = None
    crop: Annotated[Crop | None, msgspec.Meta(description="null keeps the photo's frame")] = None
    format: Annotated[Format, msgspec.Meta(description="mask is the 8-bit alpha alone, as PNG")] = "png"
    max_side: Annotated[int, msgspec.Meta(ge=16, le=16384, description="longest side of the result, px")] | None = None

    def __post_init__(self) -> None:
        if self.format == "jpg" and self.background is None:
            raise UnsupportedRecipeError("jpg has no transparency: give a background, or ask for png or webp")
        if self.format == "mask" and (self.background is not None or self.effect != "none"):
            raise UnsupportedRecipeError("a mask has neither effect nor background")

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
        return {"png": "image/png", "mask": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}[self.format]


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
