"""What a rollout must remember and nobody could see: notes in the service's annotations.

Each note is written in the same update as the change that it belongs to, so there is no moment at which a process that
dies leaves one without the other. The note of a rollout under way is also the lock that keeps a second one out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar

import msgspec

from alerts.revisions import ROLLED_BACK_FROM, ROLLED_BACK_TO
from events.errors import PermanentError
from events.messages import Time

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LAST", "UNDER_WAY", "Ended", "Outcome", "Record", "ended", "noted", "spared", "taken_back", "under_way"]

UNDER_WAY: Final = "cutout-rollout"
LAST: Final = "cutout-rollout-last"

Outcome = Literal["promoted", "rolled_back"]
R = TypeVar("R", bound=msgspec.Struct)

_REMEMBERED: Final = 10
_LONGEST_REASON: Final = 500


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rollout under way.

    `holder` works on it and was alive at `seen_at`. `baseline` is the revision that had the traffic, empty where none
    had. The limit of instances was `limit_before`, and is `limit_during` meanwhile. The new revision has a URL since
    `tagged_at`, did `smoke_jobs`, and has a part of the traffic since `watching_since`. The service was last seen with
    nothing pending, or changed, at `settled_at`.
    """

    id: Annotated[str, msgspec.Meta(min_length=1)]
    holder: str
    image: str
    baseline: str
    began_at: Time
    seen_at: Time
    limit_before: int
    limit_during: int
    tagged_at: Time | None = None
    watching_since: Time | None = None
    settled_at: Time | None = None
    smoke_jobs: int = 0


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The last rollout that ended."""

    holder: str
    image: str
    revision: str
    outcome: Outcome
    reason: str
    at: Time


def under_way(annotations: Mapping[str, str]) -> Record | None:
    """Raises `PermanentError` for a note that was not written here."""
    return _read(annotations, UNDER_WAY, Record)


def ended(annotations: Mapping[str, str]) -> Ended | None:
    """Raises `PermanentError` likewise."""
    return _read(annotations, LAST, Ended)


def noted(annotations: Mapping[str, str], note: Record | Ended) -> dict[str, str]:
    """The annotations with the note. One of an end takes the place of the one of the rollout under way."""
    kept = {name: value for name, value in annotations.items() if name != UNDER_WAY}
    if isinstance(note, Ended):
        note = msgspec.structs.replace(note, reason=note.reason[:_LONGEST_REASON])
    name = LAST if isinstance(note, Ended) else UNDER_WAY
    return kept | {name: msgspec.json.encode(note).decode()}


def taken_back(annotations: Mapping[str, str], *revisions: str) -> dict[str, str]:
    """With the revisions among those that an incident's rollback must never go back to (`alerts.revisions`)."""
    if not revisions:
        return dict(annotations)
    known = [name for name in annotations.get(ROLLED_BACK_FROM, "").split(",") if name and name not in revisions]
    return {**annotations, ROLLED_BACK_FROM: ",".join([*known, *revisions][-_REMEMBERED:])}


def spared(annotations: Mapping[str, str], revision: str) -> dict[str, str]:
    """With the revision as one that an incident's rollback leaves alone, as if that had gone back to it itself."""
    return {**annotations, ROLLED_BACK_TO: revision}


def _read(annotations: Mapping[str, str], name: str, kind: type[R]) -> R | None:
    text = annotations.get(name)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise PermanentError(f"the annotation {name} can't be read ({error}): remove it by hand") from error
