"""Every step of `cloudbuild.yaml` run as a rehearsal: real scripts, stand-ins for the tools that reach the cloud."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.rollout.world import NEW, OLD, World
from tests.unit.delivery.build import ROOT, read_build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.unit.delivery.build import Step

BUILD: Final = read_build()
DIGEST: Final = "sha256:" + "1" * 64
SOURCES: Final = (
    *("alerts", "assets", "cloud", "events", "functions", "imaging", "jobs", "local", "planner", "requirements"),
    *("rollout", "warehouse", "webhooks"),
)
# Each notes how it was called. terraform tells what the module would; the build's metadata has a digest; a virtual
# environment has this test's Python.
TOOLS: Final = {
    "terraform": """
case "$*" in
  "output -raw active_region") printf europe-west4 ;;
  "output -raw standby_region") printf '%s' "$STANDBY" ;;
  "output -raw catalogue_region") printf '%s' "$CATALOGUE_REGION" ;;
  "output -raw model") printf instant-000000000000-fp32-p1 ;;
  "output -raw api_url") printf https://staging.shop.example.com ;;
esac
""",
    "gcloud": "",
    "docker": """
while [ $# -gt 0 ]; do
  if [ "$1" = --metadata-file ]; then printf '{\\n  "containerimage.digest": "%s"\\n}\\n' "$DIGEST" >"$2"; fi
  shift
done
""",
    "python": """
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin"
  printf '#!/bin/sh\\necho "pip $*" >>"$CALLS"\\n' >"$3/bin/pip"
  printf '#!/bin/sh\\nexec "$PYTHON" "$@"\\n' >"$3/bin/python"
  chmod +x "$3/bin/pip" "$3/bin/python"
else
  exec "$PYTHON" "$@"
fi
""",
}


class Workspace:
    """A checkout, the tools, and what they were called with."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._tools = folder.parent / "bin"
        self._calls = folder.parent / "calls"
        self._environ = {
            **os.environ,
            "PATH": f"{self._tools}:/usr/bin:/bin",
            "CALLS": str(self._calls),
            "PYTHON": sys.executable,
            "DIGEST": DIGEST,
            "BUILD_ID": "b1",
            "PROJECT_ID": "cutout-shop",
            **environ,
        }
        self._lay_out()

    def run(self, step: Step, **environ: str) -> subprocess.CompletedProcess[str]:
        script = self.folder.parent / step.id
        script.write_text(step.script, encoding="utf-8")
        script.chmod(0o755)
        return subprocess.run(
            [str(script)],
            cwd=self.folder,
            env=self._environ | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def calls(self) -> list[str]:
        return self._calls.read_text(encoding="utf-8").splitlines() if self._calls.exists() else []

    def _lay_out(self) -> None:
        (self.folder / "terraform").mkdir(parents=True)
        for name in SOURCES:
            (self.folder / name).symlink_to(ROOT / name)
        for name in ("__init__.py", "apply.sh", "archive.py", "catalogue_image.sh"):
            shutil.copy(ROOT / "terraform" / name, self.folder / "terraform" / name)
        (self.folder / ".ci").mkdir()
        self._tools.mkdir()
        for name, body in TOOLS.items():
            self._tool(self._tools / name, name, body)
        for name in ("run", "google-packages"):
            self._tool(self.folder / ".ci" / name, f".ci/{name}", "")

    def _tool(self, path: Path, name: str, body: str) -> None:
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"$CALLS"\n{body}', encoding="utf-8")
        path.chmod(0o755)


@pytest.fixture
def world(pubsub: str) -> Iterator[World]:
    with World(pubsub) as running:
        yield running


@pytest.fixture
def workspace(tmp_path: Path, world: World) -> Workspace:
    substitutions = {name: value.replace("${PROJECT_ID}", "cutout-shop") for name, value in BUILD.declared.items()}
    emulators = {
        "RUN_EMULATOR_HOST": world.run.address,
        "MONITORING_EMULATOR_HOST": world.monitoring.address,
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
        "STANDBY": "",
        "CATALOGUE_REGION": "us-central1",
    }
    rehearsal = {"_DRY_RUN": "true", "_STAGING_PROJECT": "cutout-shop"}
    return Workspace(tmp_path / "workspace", substitutions | emulators | rehearsal)


def test_a_rehearsal_runs_every_step_and_changes_nothing(workspace: Workspace, world: World) -> None:
    said: dict[str, str] = {}
    for step in BUILD.steps:
        done = workspace.run(step)
        assert done.returncode == 0, f"{step.id}: {done.stdout}{done.stderr}"
        said[step.id] = done.stdout
    assert world.run.updates == []
    calls = workspace.calls()
    assert not any(call.startswith("terraform apply") for call in calls)
    assert [call for call in calls if call.startswith(".ci")] == [".ci/google-packages ", ".ci/run "]
    assert "pip install --quiet --disable-pip-version-check -r requirements/rollout.txt" in calls
    assert (workspace.folder / "out" / "functions.zip").stat().st_size > 100_000
    image = f"us-central1-docker.pkg.dev/cutout-shop/worker/gpu-worker@{DIGEST}"
    plans = [call for call in calls if call.startswith("terraform plan")]
    assert [
        f"-var-file={name}.tfvars" in plan for name, plan in zip(("staging", "production"), plans, strict=True)
    ] == [True, True]
    assert all(f"-var=worker_image={image}" in plan for plan in plans)
    assert "would send cat.jpg to https://staging.shop.example.com" in said["staging-smoke"]
    assert "would send cat.jpg to https://staging.shop.example.com" in said["production-smoke"]
    assert (
        f"would gcloud run jobs update catalogue --project=cutout-shop --region=us-central1 --image={image}"
        in (said["production-catalogue"])
    )
    assert not any(call.startswith("gcloud") for call in calls)
    assert f"a revision of {image} beside {OLD}" in said["production-rollout"]
    assert "10% of the traffic" in said["production-rollout"]
    assert "10% of the traffic" not in said["staging-rollout"]
    assert NEW not in str(world.service)


def test_a_release_applies_what_it_planned(workspace: Workspace) -> None:
    (workspace.folder / "out").mkdir()
    (workspace.folder / "out" / "image-staging").write_text(f"image@{DIGEST}\n", encoding="utf-8")
    done = workspace.run(_step("staging-apply"), _DRY_RUN="")
    assert done.returncode == 0, done.stderr
    inits, plans, applies = (
        [call for call in workspace.calls() if call.startswith(f"terraform {verb}")]
        for verb in ("init", "plan", "apply")
    )
    assert inits == ["terraform init -backend-config=bucket=cutout-shop-terraform"]
    assert plans[0].endswith("-out=staging.tfplan")
    assert applies == ["terraform apply -lock-timeout=10m staging.tfplan"]


def test_a_build_for_staging_leaves_production_alone(workspace: Workspace) -> None:
    for name in ("production-apply", "production-rollout", "production-catalogue", "production-smoke"):
        assert workspace.run(_step(name), _ENVIRONMENT="staging", _DRY_RUN="").returncode == 0
    assert workspace.calls() == []


def test_a_second_region_comes_after_the_first(workspace: Workspace) -> None:
    for name in ("tools", "image", "prepare", "production-apply"):
        assert workspace.run(_step(name), STANDBY="europe-west4").returncode == 0
    done = workspace.run(_step("production-rollout"))
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("gpu-worker in europe-west4") == 2


@pytest.mark.parametrize(("region", "calls"), [("europe-west4", 1), ("", 0)])
def test_catalogues_get_the_image_where_there_is_a_job_for_them(workspace: Workspace, region: str, calls: int) -> None:
    for name in ("tools", "image", "prepare", "production-apply"):
        assert workspace.run(_step(name), CATALOGUE_REGION=region).returncode == 0
    assert workspace.run(_step("production-catalogue"), _DRY_RUN="").returncode == 0
    image = f"us-central1-docker.pkg.dev/cutout-shop/worker/gpu-worker@{DIGEST}"
    update = f"gcloud run jobs update catalogue --project=cutout-shop --region={region} --image={image} --quiet"
    assert [call for call in workspace.calls() if call.startswith("gcloud")] == [update] * calls


def test_a_production_that_makes_no_cutouts_fails_the_build_and_tells_the_way_back(workspace: Workspace) -> None:
    for name in ("tools", "image", "prepare", "production-apply"):
        assert workspace.run(_step(name)).returncode == 0
    (workspace.folder / "out" / "api_url-production").write_text("http://127.0.0.1:1", encoding="utf-8")
    done = workspace.run(_step("production-smoke"), _DRY_RUN="", SMOKE_KEY="key")
    assert done.returncode == 1
    assert "http://127.0.0.1:1 makes no cutouts" in done.stdout
    assert (
        "gcloud storage cp 'gs://cutout-shop-source/functions/BEFORE.zip#GENERATION' out/functions.zip" in done.stdout
    )
    assert "--project=cutout-shop --region=europe-west4 --to-revisions=REVISION=100" in done.stdout


def test_an_image_without_a_digest_ends_the_build(workspace: Workspace) -> None:
    assert workspace.run(_step("tools")).returncode == 0
    assert workspace.run(_step("image"), DIGEST="nothing").returncode != 0


def test_a_tool_that_fails_ends_its_step(workspace: Workspace) -> None:
    broken = workspace.folder.parent / "bin" / "terraform"
    broken.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (workspace.folder / "out").mkdir()
    (workspace.folder / "out" / "image-staging").write_text(f"image@{DIGEST}\n", encoding="utf-8")
    assert workspace.run(_step("staging-apply")).returncode != 0
    assert not (workspace.folder / "out" / "model-staging").exists()


def _step(name: str) -> Step:
    return next(step for step in BUILD.steps if step.id == name)
