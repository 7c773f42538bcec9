"""A Terraform module in a folder, and what it plans."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Module", "Planned"]


@dataclass(frozen=True, slots=True)
class Planned:
    """Resources as they would be, by type and then by name or, where there are several, by key."""

    resources: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, changes: list[dict[str, Any]]) -> Planned:
        resources: dict[str, dict[str, Any]] = {}
        for change in changes:
            if change["mode"] == "managed":
                key = str(change.get("index", change["name"]))
                resources.setdefault(change["type"], {})[key] = change["change"]["after"]
        return cls(resources)

    def function_environment(self, function: str) -> dict[str, str]:
        """What is set in plain sight."""
        service = self.resources["google_cloudfunctions2_function"][function]["service_config"][0]
        environment: dict[str, str] = service["environment_variables"]
        return environment

    def worker_environment(self, region: str) -> dict[str, str]:
        container = self.worker(region)["template"][0]["containers"][0]
        return {each["name"]: each["value"] for each in container["env"] if not each["value_source"]}

    def worker(self, region: str) -> dict[str, Any]:
        worker: dict[str, Any] = self.resources["google_cloud_run_v2_service"][region]
        return worker


@dataclass(frozen=True, slots=True)
class Module:
    folder: Path
    environ: Mapping[str, str]

    def run(self, *arguments: str, seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """`terraform ...` in the folder."""
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip

    def planned(self, variables: str) -> Planned:
        """With the variables of a file, on a provider that makes up what only the cloud could tell."""
        done = self.run(
            "test", "-json", "-verbose", "-test-directory=environments", f"-var-file={variables}",
            "-var=function_archive=tests/archive",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
        (plan,) = (line["test_plan"] for line in lines if line["type"] == "test_plan")
        return Planned.of(plan["resource_changes"])
