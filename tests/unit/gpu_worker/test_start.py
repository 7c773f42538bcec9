"""What a start does for its own speed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from gpu_worker import __main__
from gpu_worker.weights import Manifest
from tests.unit.gpu_worker.test_settings import CLOUD, LOCAL

if TYPE_CHECKING:
    from pathlib import Path

    from gpu_worker.settings import Settings

LOADING = """
import os, sys
from gpu_worker.loading import load_network
from gpu_worker.settings import Settings

try:
    load_network(Settings.from_env(os.environ))
except ValueError as error:
    print(error, file=sys.stderr)
print(*sys.modules)
"""


@pytest.mark.parametrize(("environ", "steps"), [(LOCAL, ["touch", "serve"]), (CLOUD, ["serve"])])
def test_on_a_cpu_the_heap_is_touched_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], steps: list[str]
) -> None:
    done: list[str] = []

    def serve(settings: Settings, load: object) -> None:
        done.append("serve")

    monkeypatch.setattr(__main__, "touch_heap", lambda: done.append("touch"))
    monkeypatch.setattr(__main__, "serve", serve)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    __main__.main()
    assert done == steps


def test_a_worker_imports_no_more_of_torch_than_inference_needs(tmp_path: Path) -> None:
    """Weights that are none are refused only once torch is there: they are read beside."""
    (tmp_path / "weights.safetensors").write_bytes(b"none")
    manifest = Manifest(
        name="inspyrenet-fast",
        file="weights.safetensors",
        sha256="0" * 64,
        bytes=4,
        source="a test",
        licence="none",
        obtained="made up",
    )
    (tmp_path / "weights.json").write_bytes(msgspec.json.encode(manifest))
    environ = {**os.environ, **LOCAL, "WEIGHTS": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", LOADING], env=environ, capture_output=True, text=True, check=True)
    assert "weights.safetensors" in done.stderr
    modules = set(done.stdout.split())
    assert "torch.nn.functional" in modules
    assert modules.isdisjoint({"torch._meta_registrations", "torch.distributions", "torch.export"})
