"""The builder is sent what the image is made of, and nothing else."""

from __future__ import annotations

import pytest

from tests.unit.images.dockerfile import DOCKERFILE, ROOT, Dockerfile, Ignore, context

IGNORE = Ignore((ROOT / ".dockerignore").read_text(encoding="utf-8"))


def copied_sources() -> set[str]:
    stages = Dockerfile(DOCKERFILE.read_text(encoding="utf-8")).stages.values()
    return {source for stage in stages for copy in stage.copies() if copy.stage is None for source in copy.sources}


def test_every_file_that_is_sent_is_copied_and_every_source_is_sent() -> None:
    sources, sent = copied_sources(), context()
    unused = [path for path in sent if not any(path == one or path.startswith(f"{one}/") for one in sources)]
    assert unused == []
    missing = {one for one in sources if not any(path == one or path.startswith(f"{one}/") for path in sent)}
    assert missing == set()


def test_all_code_of_the_packages_is_sent() -> None:
    packages = ("cloud", "events", "gpu_worker", "imaging", "jobs")
    code = {path.relative_to(ROOT).as_posix() for package in packages for path in (ROOT / package).rglob("*.py")}
    assert {path for path in context() if not path.startswith("requirements/")} == code


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".local/secrets.json",
        ".venv/lib/python3.11/site-packages/torch/__init__.py",
        "cloud/__pycache__/logs.cpython-311.pyc",
        "gpu_worker/Dockerfile",
        "gpu_worker/key.json",
        "local/stack.py",
        "out/cutout.png",
        "requirements/dev.txt",
        "terraform/production.tfvars",
        "tests/unit/gpu_worker/test_app.py",
        "weights/inspyrenet-base.json",
    ],
)
def test_nothing_else_is_sent(path: str) -> None:
    assert not IGNORE.lets_pass(path)


@pytest.mark.parametrize(
    ("path", "passes"),
    [("a/b.py", True), ("a/c/b.py", True), ("a/b.txt", False), ("b.py", False), ("a/c/d", False), ("a/c/d/b.py", True)],
)
def test_the_last_pattern_that_matches_decides(path: str, passes: bool) -> None:  # noqa: FBT001
    ignore = Ignore("# all\n*\n\n!a/**/*.py\na/c/d\n!a/c/d/b.*")
    assert ignore.lets_pass(path) is passes
