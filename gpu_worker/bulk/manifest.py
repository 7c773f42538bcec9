"""What a manifest says: JSON Lines, one photo a line.

    {"source": "gs://catalogue/shoes/1.jpg"}
    {"source": "gs://catalogue/shoes/2.jpg", "recipes": [{"format": "webp"}], "id": "SKU-2", "tenant": "acme"}

Everything that is wrong with it is found before a photo is looked at, and told at once, by line and field.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from events.errors import InvalidMessageError, PermanentError
from events.ids import new_job_id
from events.messages import Recipes, Tenant
from events.patterns import whole
from events.recipe import RENDERER_VERSION, Recipe
from events.validation import decode_json

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

__all__ = ["MAX_BYTES", "MAX_LINES", "Manifest", "ManifestError", "Photo", "read_manifest", "read_photos"]

MAX_LINES: Final = 200_000
MAX_LINE_BYTES: Final = 32_768
MAX_BYTES: Final = 128 << 20
MAX_PROBLEMS: Final = 1000

_SCHEME: Final = "gs://"
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)


class ManifestError(PermanentError, ValueError):
    """A manifest that can't be worked through. `problems` has one for each wrong field, `line 3, source: ...`."""

    code: ClassVar[str] = "invalid_manifest"

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(f"{len(problems)} problems, the first one: {problems[0]}", problems=problems)
        self.problems = problems


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source: Annotated[str, msgspec.Meta(pattern=whole("gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/[^\r\n]{1,1024}"))]
    recipes: Recipes = (Recipe(),)
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    tenant: Tenant | None = None


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """One line, from 1. `id` is the catalogue's own, and only told back."""

    line: int
    bucket: str
    name: str
    recipes: tuple[Recipe, ...]
    tenant: str
    id: str | None = None

    @property
    def source(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.name}"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`digest` is the SHA-256 of all that its results depend on: its bytes, the tenant, the model, the renderer.

    What has another digest is other work, with jobs and a report of its own.
    """

    digest: str
    photos: tuple[Photo, ...]

    def job_id(self, photo: Photo, generation: int) -> str:
        """The id of the photo's job: the same in every attempt, whichever task makes it.

        A UUIDv7 of the time of the photo's generation, microseconds since 1970 in Cloud Storage.
        """
        recipes = b"\x1f".join(recipe.canonical() for recipe in photo.recipes)
        parts = (self.digest.encode(), photo.tenant.encode(), photo.source.encode(), b"%d" % generation, recipes)
        seed = int.from_bytes(hashlib.sha256(b"\x1e".join(parts)).digest())
        seconds = min(generation / 1e6, _LATEST.timestamp())
        return new_job_id(datetime.fromtimestamp(seconds, UTC), partial(_bits, seed))


def read_manifest(
    data: bytes, *, model: str, tenant: str | None = None, tenants: Container[str] | None = None
) -> Manifest:
    """`model` makes the mattes. The other arguments and what is raised are those of `read_photos`."""
    photos = read_photos(data, tenant=tenant, tenants=tenants)
    return Manifest(digest=_digest(data, tenant or "", model, str(RENDERER_VERSION)), photos=photos)


def read_photos(data: bytes, *, tenant: str | None = None, tenants: Container[str] | None = None) -> tuple[Photo, ...]:
    """`tenant` is that of the lines which name none, `tenants` are all that there are: None where that isn't known.

    Raises `ManifestError` with everything that is wrong, or the first `MAX_PROBLEMS`.
    """
    count = data.count(b"\n") + (not data.endswith(b"\n"))
    if count > MAX_LINES:
        raise ManifestError((f"{count} lines, at most {MAX_LINES}: make several manifests",))
    photos: list[Photo] = []
    problems: list[str] = []
    first_lines: dict[tuple[object, ...], int] = {}
    for number, text in _lines(data):
        if len(problems) >= MAX_PROBLEMS:
            problems[MAX_PROBLEMS:] = ["and maybe more"]
            break
        try:
            photo = _photo(number, text, tenant, tenants)
        except InvalidMessageError as error:
            problems += [f"line {number}{_where(field)}: {told}" for field, told in error.fields.items()]
            continue
        key = (photo.tenant, photo.source, photo.recipes)
        if (first := first_lines.setdefault(key, number)) != number:
            problems.append(f"line {number}: the same as line {first}")
        photos.append(photo)
    if not photos and not problems:
        problems.append("it names no photo")
    if problems:
        raise ManifestError(tuple(problems))
    return tuple(photos)


def _where(path: str) -> str:
    """`$.recipes[0].format` as people say it; nothing for the whole line."""
    return f", {path.removeprefix('$.')}" if path != "$" else ""


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Those with something in them, by their number."""
    for number, text in enumerate(data.split(b"\n"), start=1):
        if text.strip():
            yield number, text


def _photo(number: int, text: bytes, tenant: str | None, tenants: Container[str] | None) -> Photo:
    if len(text) > MAX_LINE_BYTES:
        raise InvalidMessageError({"$": f"{len(text)} bytes, at most {MAX_LINE_BYTES}"})
    line = decode_json(text, _Line)
    owner = line.tenant or tenant
    if owner is None:
        raise InvalidMessageError({"$.tenant": "required, since no --tenant was given"})
    if tenants is not None and owner not in tenants:
        raise InvalidMessageError({"$.tenant": f"there is no tenant {owner!r}"})
    bucket, _, name = line.source.removeprefix(_SCHEME).partition("/")
    return Photo(line=number, bucket=bucket, name=name, recipes=line.recipes, tenant=owner, id=line.id)


def _digest(data: bytes, *others: str) -> str:
    parts = (hashlib.sha256(data).hexdigest(), *others)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _bits(seed: int, count: int) -> int:
    """Other bits of the seed for each count: a UUIDv7 takes 12 and 62."""
    return seed >> count & (1 << count) - 1
