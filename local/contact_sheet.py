"""Photo, matte and cutout side by side, for eyes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

from PIL import Image, ImageDraw, ImageOps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Row", "checkerboard", "save_contact_sheet"]

_CELL: Final = 320
_GAP: Final = 8
_CAPTION: Final = 22
_SQUARE: Final = 10


class Row(NamedTuple):
    """Encoded images, as they were uploaded and downloaded. `extra` holds further results, such as another effect."""

    name: str
    photo: bytes
    matte: bytes
    cutout: bytes
    extra: tuple[bytes, ...] = ()


def save_contact_sheet(rows: Sequence[Row], path: Path) -> None:
    """A PNG with one row a photo: the photo, its matte, the cutout and the extra results on a checkerboard."""
    cells = [[_cell(data) for data in (row.photo, row.matte, row.cutout, *row.extra)] for row in rows]
    heights = [max(cell.height for cell in row) for row in cells]
    width = max(len(row) for row in cells) * (_CELL + _GAP) + _GAP
    sheet = Image.new("RGB", (width, sum(heights) + len(rows) * (_CAPTION + _GAP) + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    top = _GAP
    for row, images, height in zip(rows, cells, heights, strict=True):
        draw.text((_GAP, top + 2), row.name, fill="black", font_size=14)
        for column, cell in enumerate(images):
            left = _GAP + column * (_CELL + _GAP)
            sheet.paste(cell, (left + (_CELL - cell.width) // 2, top + _CAPTION + (height - cell.height) // 2))
        top += _CAPTION + height + _GAP
    sheet.save(path)


def checkerboard(width: int, height: int) -> Image.Image:
    """What shows transparency: light squares of two greys, RGB."""
    board = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(board)
    for top in range(0, height, _SQUARE):
        for left in range(0, width, _SQUARE):
            if (top + left) // _SQUARE % 2:
                draw.rectangle((left, top, left + _SQUARE - 1, top + _SQUARE - 1), fill=(204, 204, 204))
    return board


def _cell(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as opened:
        image = ImageOps.contain(ImageOps.exif_transpose(opened).convert("RGBA"), (_CELL, _CELL))
    board = checkerboard(image.width, image.height)
    board.paste(image, mask=image.getchannel("A"))
    return board
