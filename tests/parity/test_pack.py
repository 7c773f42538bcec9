"""A checkpoint becomes one packed file, always the same one, or is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import torch

from gpu_worker import check
from gpu_worker.inspyrenet import network_of
from gpu_worker.inspyrenet.lean import cast, fold, read_packed
from gpu_worker.pack import Origin, main, pack
from gpu_worker.weights import Weights, WeightsError, weights_in
from gpu_worker.weights.digests import digest_of

if TYPE_CHECKING:
    from gpu_worker.weights import Precision

_PHOTO: Final = Path(__file__).parents[2] / "assets" / "photos" / "coffee.webp"
_ORIGIN: Final = Origin("inspyrenet-fast", "a test", "being made here")


@pytest.mark.parametrize(("precision", "dtype"), [("f32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_packed_file_holds_the_folded_tensors_and_says_what_it_is(
    checkpoint: Path, original: Any, tmp_path: Path, precision: Precision, dtype: torch.dtype
) -> None:
    packed = pack(checkpoint, tmp_path, _ORIGIN, precision)
    packed.verify()
    assert packed.path.name == f"inspyrenet-fast-{precision}-{packed.sha256[:12]}.safetensors"
    assert weights_in(tmp_path) == [packed]

    header, tensors = read_packed(packed.path)
    assert (header.model, header.precision) == ("inspyrenet-fast", precision)
    assert header.source_sha256 == digest_of(checkpoint, "sha256")
    expected = cast(fold(network_of(original.state_dict(), 384)), dtype)
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in tensors.items())
    assert all(tensor.dtype == expected[name].dtype for name, tensor in tensors.items())


def test_the_same_checkpoint_makes_the_same_file(checkpoint: Path, tmp_path: Path) -> None:
    first = pack(checkpoint, tmp_path / "a", _ORIGIN, "bf16")
    assert pack(checkpoint, tmp_path / "b", _ORIGIN, "bf16").sha256 == first.sha256


def test_tensors_are_mapped_and_not_read(checkpoint: Path, tmp_path: Path) -> None:
    """Measured in a process of its own: memory that opening the file takes, in bytes."""
    packed = pack(checkpoint, tmp_path, _ORIGIN)
    program = """
import resource, sys
from pathlib import Path
from gpu_worker.inspyrenet.lean import read_packed
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
tensors = read_packed(Path(sys.argv[1]))
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""
    command = [sys.executable, "-c", program, str(packed.path)]
    taken = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert taken < packed.manifest.bytes / 10


def test_an_own_checkpoint_is_packed_if_its_digest_is_the_one_said(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = digest_of(checkpoint, "sha256")
    folder = tmp_path / "weights"
    assert main([str(checkpoint), str(folder), "--model", "fast", "--sha256", sha256.upper()]) == 0
    assert "inspyrenet-fast in f32 is at" in capsys.readouterr().out
    manifest = Weights.read(folder / "inspyrenet-fast.json").manifest
    assert (manifest.source, manifest.precision) == ("checkpoint.pth", "f32")
    assert f"known by its SHA-256 {sha256}" in manifest.obtained


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], r"but no official checkpoint of InSPyReNet has that; .* --sha256 and --model"),
        (["--model", "base"], "but no official checkpoint of base has that"),
        (["--model", "fast", "--sha256", "0" * 64], f"expected {'0' * 64}"),
        (["--sha256", "0" * 64], r"which --model is it for, base or fast\?"),
    ],
)
def test_a_checkpoint_that_is_not_the_one_meant_is_refused_and_leaves_nothing(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    assert main([str(checkpoint), str(tmp_path / "weights"), *arguments]) == 1
    assert re.search(problem, capsys.readouterr().err)
    assert not (tmp_path / "weights").exists()


def test_a_checkpoint_of_another_network_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="not weights of InSPyReNet"):
        pack(path, tmp_path / "weights", _ORIGIN)
    assert not (tmp_path / "weights").exists()


def test_the_check_of_a_checkpoint_passes_in_float32(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [str(checkpoint), str(_PHOTO), "--model", "fast", "--sha256", digest_of(checkpoint, "sha256")]
    assert check.main([*command, "--precision", "f32"]) == 0
    assert "f32: within its limit" in capsys.readouterr().out
