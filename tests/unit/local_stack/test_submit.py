"""Results become files, each photo's its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from local.storefront import Accepted
from local.submit import Submission, submit, unlike_stems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.storefront import Json


class FakeStorefront:
    """A service whose result is the photo itself."""

    def __init__(self, api_url: str, api_key: str) -> None:
        self._place = (api_url, api_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def upload(self, data: bytes, content_type: str, recipes: Sequence[Json], *, sha256: str) -> Accepted:
        assert content_type.startswith("image/")
        results = [{"recipe": recipe, "content_type": "image/png", "url": data.decode()} for recipe in recipes]
        status = {"state": "done", "results": results, "cache": "hit", "cost_usd": "0"}
        return Accepted(sha256, "token", status, None)

    def download(self, url: str) -> bytes:
        return url.encode()


@pytest.mark.parametrize(
    ("photos", "effects", "stems"),
    [
        (["cat.jpg", "dog.jpg"], ["none"], ["cat", "dog"]),
        (["a/photo.jpg", "b/photo.png", "c/photo.jpg"], ["none"], ["photo", "photo-2", "photo-3"]),
        (["photo.jpg", "photo-2.jpg", "b/photo.jpg"], ["none"], ["photo", "photo-2", "photo-3"]),
        (["b/photo-2.jpg", "a/photo.jpg", "b/photo.jpg"], ["none"], ["photo-2", "photo", "photo-3"]),
        (["a/photo.jpg", "b/Photo.jpg"], ["none"], ["photo", "Photo-2"]),
        (["a.jpg", "a-sepia.jpg"], ["none", "sepia"], ["a", "a-sepia-2"]),
        (["a.jpg", "a-sepia.jpg"], ["sepia"], ["a", "a-sepia"]),
    ],
)
def test_no_two_results_have_one_name(photos: list[str], effects: list[str], stems: list[str]) -> None:
    recipes: list[dict[str, Any]] = [{"effect": effect} for effect in effects]
    assert unlike_stems([Path(photo) for photo in photos], recipes) == stems


def test_photos_of_the_same_name_all_end_as_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("local.submit.Storefront", FakeStorefront)
    photos = [tmp_path / name for name in ("a/photo.jpg", "b/photo.png", "c/other.webp")]
    for photo in photos:
        photo.parent.mkdir()
        photo.write_text(photo.parent.name, encoding="utf-8")
    submission = Submission(photos=photos, recipes=[{}, {"effect": "sepia"}], out=tmp_path / "out")
    assert submit(submission, "http://api.test", "key") == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in submission.out.iterdir()}
    assert written == {
        "photo.png": "a",
        "photo-sepia.png": "a",
        "photo-2.png": "b",
        "photo-2-sepia.png": "b",
        "other.png": "c",
        "other-sepia.png": "c",
    }
    assert "photo-2.png, photo-2-sepia.png" in capsys.readouterr().out
