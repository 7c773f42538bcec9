from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.emulator_files import EmulatorMissingError, find_jar, find_java
from local.pubsub_emulator import pubsub_emulator

if TYPE_CHECKING:
    from pathlib import Path

JARS = "platform/pubsub-emulator/lib"


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No SDK in any of the usual places."""
    monkeypatch.setattr("local.emulator_files._USUAL_ROOTS", (str(tmp_path / "usual"),))


def install(root: Path, *versions: str) -> list[Path]:
    folder = root / JARS
    folder.mkdir(parents=True)
    jars = [folder / f"cloud-pubsub-emulator-{version}-all.jar" for version in versions]
    for jar in jars:
        jar.touch()
    return jars


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_the_jar_is_found_in_the_sdk_that_is_named(tmp_path: Path) -> None:
    install(tmp_path / "usual", "0.8.1")
    (jar,) = install(tmp_path / "sdk", "0.8.2")
    assert find_jar({"CLOUDSDK_ROOT": str(tmp_path / "sdk")}) == jar


def test_the_jar_is_found_beside_the_gcloud_on_the_path_even_through_a_link(tmp_path: Path) -> None:
    (jar,) = install(tmp_path / "sdk", "0.8.2")
    gcloud = executable(tmp_path / "sdk" / "bin" / "gcloud")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").symlink_to(gcloud)
    assert find_jar({"PATH": str(tmp_path / "bin")}) == jar


def test_the_jar_is_found_in_the_usual_places(tmp_path: Path) -> None:
    (jar,) = install(tmp_path / "usual", "0.8.2")
    assert find_jar({"CLOUDSDK_ROOT": str(tmp_path / "empty")}) == jar


def test_the_newest_version_is_taken(tmp_path: Path) -> None:
    install(tmp_path / "usual", "0.8.9", "0.8.20", "0.8.3")
    assert find_jar({}).name == "cloud-pubsub-emulator-0.8.20-all.jar"


def test_java_home_beats_the_path(tmp_path: Path) -> None:
    java = executable(tmp_path / "jdk" / "bin" / "java")
    other = executable(tmp_path / "bin" / "java")
    assert find_java({"JAVA_HOME": str(tmp_path / "jdk"), "PATH": str(other.parent)}) == java
    assert find_java({"PATH": str(other.parent)}) == other


def test_what_is_missing_comes_with_the_ways_to_install_it(tmp_path: Path) -> None:
    java = executable(tmp_path / "bin" / "java")
    for environ, problem in (({"PATH": str(java.parent)}, "is not installed"), ({"PATH": "/nowhere"}, "needs Java")):
        with pytest.raises(EmulatorMissingError, match=problem) as raised:
            pubsub_emulator(environ, 1)
        assert "apt-get install google-cloud-cli-pubsub-emulator" in str(raised.value)
        assert "gcloud components install pubsub-emulator" in str(raised.value)
        assert "PUBSUB_EMULATOR_HOST" in str(raised.value)


def test_the_emulator_listens_on_this_machine_only(tmp_path: Path) -> None:
    (jar,) = install(tmp_path / "usual", "0.8.20")
    java = executable(tmp_path / "bin" / "java")
    command = list(pubsub_emulator({"PATH": str(java.parent)}, 8085).command)
    assert command[0] == java
    assert command[-3:] == [jar, "--host=127.0.0.1", "--port=8085"]
