"""The worker's image as its Dockerfile says it. What hadolint knows is the business of `make lint`."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Final

import pytest

from local.worker_process import WORKER_PROCESS
from tests.unit.images.dockerfile import DOCKERFILE, ROOT, Dockerfile, copy_from_context

if TYPE_CHECKING:
    from pathlib import Path

IMAGE: Final = Dockerfile(DOCKERFILE.read_text(encoding="utf-8"))
WORKER: Final = IMAGE.last
REQUIREMENTS: Final = ROOT / "requirements"


def pins(name: str) -> dict[str, str]:
    """Versions by package of one file, without those that it includes."""
    lines = (REQUIREMENTS / name).read_text(encoding="utf-8").splitlines()
    found = [line.partition("==") for line in lines if "==" in line and not line.startswith("#")]
    return {package: version for package, _, version in found}


def test_memory_and_threads_are_managed_as_on_one_machine() -> None:
    environment = WORKER.environment()
    assert {name: environment.get(name) for name in WORKER_PROCESS} == dict(WORKER_PROCESS)


def test_nothing_else_is_decided_here() -> None:
    """Settings are the deployment's: without a device, say, the worker refuses to start."""
    others = WORKER.environment().keys() - WORKER_PROCESS.keys()
    assert others == {"HOME", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED"}


def test_the_process_is_not_root_and_gets_its_signals() -> None:
    assert WORKER.values("USER") == ["65532:65532"]
    assert WORKER.command() == ["python", "-m", "gpu_worker"]
    assert WORKER.values("STOPSIGNAL") == ["SIGTERM"]
    assert WORKER.values("ENTRYPOINT") == []
    assert WORKER.values("EXPOSE") == ["8080"]


def test_the_python_is_the_one_of_the_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tested = project["tool"]["mypy"]["python_version"]
    assert re.fullmatch(rf"python:{re.escape(tested)}\.\d+-slim-bookworm", WORKER.base)
    assert {stage.base for stage in IMAGE.stages.values()} == {WORKER.base, "builder", "packer", "scratch"}


def test_another_base_can_be_given_by_its_digest() -> None:
    pinned = f"python:3.11.14-slim-bookworm@sha256:{'0' * 64}"
    image = Dockerfile(DOCKERFILE.read_text(encoding="utf-8"), {"PYTHON_IMAGE": pinned})
    assert image.last.base == image.stages["builder"].base == pinned


@pytest.mark.parametrize("variant", ["cu126", "cpu"])
def test_the_variant_says_which_build_of_torch(variant: str) -> None:
    image = Dockerfile(DOCKERFILE.read_text(encoding="utf-8"), {"VARIANT": variant})
    arguments = image.stage_arguments(image.stages["torch"])
    assert arguments == {"VARIANT": variant, "TORCH_INDEX": f"https://download.pytorch.org/whl/{variant}"}


def test_the_default_runs_under_the_driver_of_cloud_run() -> None:
    """535, which runs any CUDA 12 and no later one."""
    assert re.fullmatch(r"cu12\d", IMAGE.defaults["VARIANT"])


def test_layers_come_in_the_order_in_which_they_change_and_none_moves_with_another() -> None:
    copies = WORKER.copies()
    assert [copy.stage for copy in copies] == ["torch", "packages", "weights", "code"]
    assert all(copy.link for copy in copies)
    names = [instruction.name for instruction in WORKER.instructions]
    assert names.count("RUN") == 1
    assert names.index("RUN") < names.index("COPY")


@pytest.mark.parametrize(
    ("stage", "needs"),
    [
        ("torch", {"requirements/torch.txt"}),
        ("packages", {"requirements/constraints.txt", "requirements/image.txt"}),
        (
            "packer",
            {
                "events",
                "gpu_worker/__init__.py",
                "gpu_worker/collection.py",
                "gpu_worker/pack.py",
                "gpu_worker/engines",
                "gpu_worker/inspyrenet",
                "gpu_worker/weights",
            },
        ),
    ],
)
def test_a_change_of_the_code_makes_no_layer_anew_but_its_own(stage: str, needs: set[str]) -> None:
    copied = {source for copy in IMAGE.stages[stage].copies() if copy.stage is None for source in copy.sources}
    assert copied == needs


def test_what_packs_the_weights_is_copied_whole(tmp_path: Path) -> None:
    for copy in IMAGE.stages["packer"].copies():
        if copy.stage is None:
            copy_from_context(copy, tmp_path / copy.target.removeprefix("/build/"))
    done = subprocess.run(
        [sys.executable, "-c", "import gpu_worker.pack, gpu_worker.weights.__main__"],
        env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"COPY it in the stage packer: {done.stderr}"


def test_the_same_content_is_the_same_layer() -> None:
    """Whatever is made in a stage has the same times, and bytecode that asks nobody for a time."""
    for name in ("torch", "packages", "weights", "code"):
        *_, made = [run for run in IMAGE.stages[name].values("RUN") if "touch" in run]
        assert "--date=@0" in made
    compiling = [run for stage in IMAGE.stages.values() for run in stage.values("RUN") if "compileall" in run]
    assert len(compiling) == 3
    assert all("--invalidation-mode unchecked-hash" in run for run in compiling)


def test_no_cache_and_no_compiler_is_left_behind() -> None:
    runs = [run for stage in IMAGE.stages.values() for run in stage.values("RUN")]
    assert all("--mount=type=cache,target=/root/.cache/pip" in run for run in runs if "pip install" in run)
    assert not [run for run in runs if re.search(r"\b(apt|apt-get|gcc|curl|wget)\b", run)]
    assert IMAGE.stages["builder"].environment()["PIP_ONLY_BINARY"] == ":all:"


def test_folders_that_copy_makes_have_one_time_too() -> None:
    """Else the layers are others in each build that has no cache of the last one."""
    build = (ROOT / "cloudbuild.yaml").read_text(encoding="utf-8")
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    commands = re.findall(r"docker buildx build (?:.*\\\n)*.*", f"{build}\n{operations}")
    assert len(commands) == 2
    assert all("--build-arg SOURCE_DATE_EPOCH=0" in command for command in commands)


def test_weights_are_checked_wherever_they_come_from() -> None:
    """A folder that is given in place of the stage `given` is checked as what is fetched is, and can be read by all."""
    [baked] = [copy for copy in WORKER.copies() if copy.stage == "weights"]
    assert baked.sources == ("/weights",)
    checked = IMAGE.stages["weights"]
    assert [(copy.stage, copy.target) for copy in checked.copies()] == [("given", "/weights")]
    [check] = checked.values("RUN")
    assert check.startswith("python -m gpu_worker.weights show --dir /weights && chmod -R a+rX /weights && ")
    assert [copy.stage for copy in IMAGE.stages["given"].copies()] == ["fetch"]
    assert IMAGE.stages["given"].base == "scratch"
    [fetching] = IMAGE.stages["fetch"].values("RUN")
    assert "weights fetch --model" in fetching


def test_making_the_user_makes_no_log_of_its_number() -> None:
    """It has a place for each number below: 65532 of them are 19 MB."""
    [making] = WORKER.values("RUN")
    assert "--no-log-init" in making


def test_torchs_layer_has_the_versions_of_everything_else() -> None:
    constraints = pins("constraints.txt")
    assert {name: constraints.get(name, version) for name, version in pins("torch.txt").items()} == pins("torch.txt")
    assert pins("torch.txt").keys() - constraints.keys() == {"torch"}


def test_the_image_has_what_a_worker_needs_but_isnet() -> None:
    assert pins("worker.txt").keys() == {"onnxruntime"}
    included = (REQUIREMENTS / "worker.txt").read_text(encoding="utf-8")
    assert "-r image.txt" in included
    assert "-r torch.txt" in included
    assert not pins("image.txt").keys() & {"pytest", "onnxruntime", "torch", "functions-framework"}
