"""The official checkpoints of InSPyReNet, as the configuration of transparent-background 1.3.4 names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["BASE", "FAST", "Checkpoint"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`md5` is all that is published of its content; `name` is that of its weights here."""

    name: str
    url: str
    md5: str


_RELEASE: Final = "https://github.com/plemeri/transparent-background/releases/download/1.2.12"

BASE: Final = Checkpoint("inspyrenet-base", f"{_RELEASE}/ckpt_base.pth", "d692e3dd5fa1b9658949d452bebf1cda")
FAST: Final = Checkpoint("inspyrenet-fast", f"{_RELEASE}/ckpt_fast.pth", "9efdbfbcc49b79ef0f7891c83d2fd52f")
