"""Weights are found in a fixed order, and used only if they are what their manifest says."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gpu_worker.weights import Weights, WeightsError, WeightsMissingError, find_weights, weights_in
from gpu_worker.weights.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_worker.weights import Precision

_CONTENT = b"the weights"
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


def _put(folder: Path, name: str = "isnet-medium", **changed: object) -> Path:
    """Weights and their manifest, some of its fields changed. Returns the manifest."""
    folder.mkdir(exist_ok=True)
    fields = {
        "name": name,
        "file": f"{name}.onnx",
        "sha256": _SHA256,
        "bytes": len(_CONTENT),
        "source": "a test",
        "licence": "none",
        "obtained": "made up",
    }
    (folder / f"{name}.onnx").write_bytes(_CONTENT)
    manifest = folder / f"{name}.json"
    manifest.write_text(json.dumps(fields | changed))
    return manifest


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Explicit, baked and local, each with weights."""
    explicit, baked, local = (tmp_path / name for name in ("explicit", "baked", "local"))
    for folder in (explicit, baked, local):
        _put(folder)
    return explicit, baked, local


def test_a_manifest_names_its_weights(tmp_path: Path) -> None:
    weights = Weights.read(_put(tmp_path))
    assert (weights.name, weights.sha256, weights.path) == ("isnet-medium", _SHA256, tmp_path / "isnet-medium.onnx")
    weights.verify()


def test_another_digest_is_refused_with_both_digests(tmp_path: Path) -> None:
    manifest = _put(tmp_path)
    (tmp_path / "isnet-medium.onnx").write_bytes(b"The weights")
    actual = hashlib.sha256(b"The weights").hexdigest()
    with pytest.raises(WeightsError, match=rf"isnet-medium\.onnx: sha256 is {actual}, expected {_SHA256}"):
        Weights.read(manifest).verify()


def test_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"isnet-medium\.onnx: 11 bytes, but its manifest says 12"):
        Weights.read(_put(tmp_path, bytes=12)).verify()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "ISNet"),
        ("file", "../isnet.onnx"),
        ("file", ".hidden"),
        ("sha256", _SHA256.upper()),
        ("bytes", 0),
        ("colour", "red"),
    ],
)
def test_a_manifest_with_a_bad_field_is_refused(tmp_path: Path, field: str, value: object) -> None:
    manifest = _put(tmp_path)
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {field: value}))
    with pytest.raises(WeightsError, match=rf"isnet-medium\.json: not a manifest: .*{field}"):
        Weights.read(manifest)


def test_a_manifest_without_its_file_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    manifest = _put(tmp_path)
    (tmp_path / "isnet-medium.onnx").unlink()
    with pytest.raises(WeightsMissingError, match=r"isnet-medium\.onnx: no such file, but isnet-medium\.json names it"):
        Weights.read(manifest)


def test_an_explicit_path_comes_first(folders: tuple[Path, Path, Path]) -> None:
    explicit, baked, local = folders
    assert find_weights(explicit, baked, local).path.parent == explicit


def test_the_baked_copy_comes_before_the_local_one(folders: tuple[Path, Path, Path]) -> None:
    _, baked, local = folders
    assert find_weights(None, baked, local).path.parent == baked


def test_the_local_copy_is_the_last_resort(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    assert find_weights(None, tmp_path / "nowhere", folders[2]).path.parent == folders[2]


@pytest.mark.parametrize("given", ["isnet-medium.json", "isnet-medium.onnx"])
def test_an_explicit_path_may_be_the_manifest_or_the_file(folders: tuple[Path, Path, Path], given: str) -> None:
    explicit, baked, local = folders
    assert find_weights(explicit / given, baked, local).path == explicit / "isnet-medium.onnx"


def test_nothing_else_is_tried_when_the_explicit_path_is_wrong(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for explicit in (tmp_path / "empty", tmp_path / "none.onnx"):
        with pytest.raises(WeightsMissingError, match=explicit.stem):
            find_weights(explicit, *folders[1:])


def test_no_weights_at_all_is_an_error_that_names_every_place(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsMissingError, match=r"no weights for f32 in .*/baked or .*/local; `make weights` fetches some"
    ):
        find_weights(None, tmp_path / "baked", tmp_path / "local")


def test_of_several_weights_the_best_network_is_taken(tmp_path: Path) -> None:
    for name in ("another", "isnet-medium", "inspyrenet-fast", "inspyrenet-base"):
        _put(tmp_path, name)
    names = [weights.name for weights in weights_in(tmp_path)]
    assert names == ["inspyrenet-base", "inspyrenet-fast", "isnet-medium", "another"]


@pytest.mark.parametrize(("precision", "file"), [("f32", "f32"), ("bf16", "bf16"), ("f16", "f32")])
def test_of_one_network_the_precision_asked_for_is_taken_or_else_float32(
    tmp_path: Path, precision: Precision, file: str
) -> None:
    _put(tmp_path, "inspyrenet-base", precision="bf16").rename(tmp_path / "inspyrenet-base-bf16.json")
    _put(tmp_path, "inspyrenet-base")
    assert find_weights(tmp_path, tmp_path, tmp_path, precision=precision).precision == file


def test_a_better_network_is_taken_rather_than_one_of_the_precision_asked_for(tmp_path: Path) -> None:
    _put(tmp_path, "inspyrenet-fast", precision="bf16")
    _put(tmp_path, "inspyrenet-base")
    assert find_weights(tmp_path, tmp_path, tmp_path, precision="bf16").name == "inspyrenet-base"


def test_weights_in_another_precision_alone_are_none(tmp_path: Path) -> None:
    _put(tmp_path, "inspyrenet-fast", precision="bf16")
    with pytest.raises(WeightsMissingError, match="no weights for f16 in"):
        find_weights(tmp_path, tmp_path, tmp_path, precision="f16")


def test_a_file_is_found_by_the_manifest_that_names_it_whatever_the_manifests_name(tmp_path: Path) -> None:
    manifest = _put(tmp_path, file="packed.safetensors")
    path = (tmp_path / "isnet-medium.onnx").rename(tmp_path / "packed.safetensors")
    assert find_weights(path, tmp_path, tmp_path) == Weights.read(manifest)


def test_show_lists_the_weights_and_the_id_of_their_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _put(tmp_path)
    assert main(["show", "--dir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"isnet-medium-{_SHA256[:12]}-f32-p1" in shown
    assert "licence  none" in shown


@pytest.mark.parametrize(("packed", "served"), [("f32", ["f32", "bf16", "f16"]), ("bf16", ["bf16"])])
def test_show_tells_the_id_for_each_precision_that_the_weights_serve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], packed: Precision, served: list[Precision]
) -> None:
    _put(tmp_path, "inspyrenet-fast", precision=packed)
    assert main(["show", "--dir", str(tmp_path)]) == 0
    shown = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("  model")]
    assert shown == [f"inspyrenet-fast-{_SHA256[:12]}-{precision}-p1" for precision in served]


def test_show_says_where_there_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--dir", str(tmp_path)]) == 1
    assert f"no weights in {tmp_path}" in capsys.readouterr().err


def test_as_a_command_an_error_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    _put(tmp_path, "unheard-of")
    command = [sys.executable, "-m", "gpu_worker.weights", "show", "--dir", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "no engine runs 'unheard-of'" in result.stderr
