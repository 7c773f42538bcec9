"""Where Google's Pub/Sub emulator and the Java that it runs on are on this machine. Standard library only."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EmulatorMissingError", "find_jar", "find_java"]

_JAR: Final = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
_USUAL_ROOTS: Final = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/usr/local/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
    "~/google-cloud-sdk",
)
_INSTALL: Final = """Install it in one of these ways:
  gcloud components install pubsub-emulator beta      (the Google Cloud CLI from Google's archive)
  apt-get install google-cloud-cli-pubsub-emulator    (Debian and Ubuntu, with Google's package source)
and Java, 11 or newer:
  apt-get install default-jre-headless
or set PUBSUB_EMULATOR_HOST to the host:port of an emulator that runs already."""


class EmulatorMissingError(RuntimeError):
    """The emulator, or the Java it runs on, is not installed. The message says how to install it."""


def find_java(environ: Mapping[str, str]) -> Path:
    """`JAVA_HOME`, else `java` on the path. Raises `EmulatorMissingError`."""
    home = environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java", path=environ.get("PATH", ""))
    if found is None:
        raise EmulatorMissingError(f"The Pub/Sub emulator needs Java, and there is none. {_INSTALL}")
    return Path(found)


def find_jar(environ: Mapping[str, str]) -> Path:
    """The emulator's jar, of the newest version in the first SDK that has one. Raises `EmulatorMissingError`."""
    roots = list(_sdk_roots(environ))
    for root in roots:
        jars = sorted(root.glob(_JAR), key=_version)
        if jars:
            return jars[-1]
    looked = ", ".join(str(root) for root in roots)
    raise EmulatorMissingError(f"The Pub/Sub emulator is not installed (looked in {looked}). {_INSTALL}")


def _sdk_roots(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("CLOUDSDK_ROOT"):
        yield Path(environ["CLOUDSDK_ROOT"])
    gcloud = shutil.which("gcloud", path=environ.get("PATH", ""))
    if gcloud is not None:
        yield Path(gcloud).resolve().parent.parent
    for root in _USUAL_ROOTS:
        yield Path(root).expanduser()


def _version(jar: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in jar.name.split("-")[3].split(".") if part.isdigit())
