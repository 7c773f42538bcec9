"""The real `terraform`, with the provider that it finds: the registry's, or one that its configuration file names."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.terraform.module import Module

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.terraform.module import Planned

ROOT: Final = Path(__file__).parents[3]
LOCAL_STATE: Final = 'terraform {\n  backend "local" {}\n}\n'
"""A state in Cloud Storage would need credentials to plan."""


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Module:
    """A copy of the module with its provider."""
    if shutil.which("terraform") is None:
        pytest.skip("there is no terraform here")
    folder = tmp_path_factory.mktemp("terraform") / "module"
    shutil.copytree(ROOT / "terraform", folder, ignore=shutil.ignore_patterns(".terraform*", "__pycache__"))
    (folder / "local_override.tf").write_text(LOCAL_STATE, encoding="utf-8")
    module = Module(folder, {**os.environ, "TF_IN_AUTOMATION": "1", "TF_VAR_repository": str(ROOT)})
    try:
        done = module.run("init", "-input=false", "-no-color", seconds=180)
    except subprocess.TimeoutExpired:
        pytest.skip("the provider hashicorp/google could not be downloaded in time")
    if done.returncode != 0:
        assert "Failed to query available provider packages" in done.stderr, done.stderr
        pytest.skip("the provider hashicorp/google could not be downloaded")
    return module


@pytest.fixture(scope="session")
def plan_of(module: Module) -> Callable[[str], Planned]:
    """What an environment's variables plan, each planned once."""
    return functools.cache(lambda environment: module.planned(f"{environment}.tfvars"))
