"""What this machine lacks, said before anything is installed or downloaded. Standard library only.

`python -m local.preflight emulator npm`
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Final

from local.emulator_files import EmulatorMissingError, find_jar, find_java

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["main", "missing"]


def missing(needs: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """For each need that is not met: what is missing, and how to install it."""
    return [problem for need in needs if (problem := _NEEDS[need](environ)) is not None]


def _emulator(environ: Mapping[str, str]) -> str | None:
    if environ.get("PUBSUB_EMULATOR_HOST"):
        return None
    try:
        find_java(environ)
        find_jar(environ)
    except EmulatorMissingError as error:
        return str(error)
    return None


def _npm(environ: Mapping[str, str]) -> str | None:
    if shutil.which("npm", path=environ.get("PATH", "")):
        return None
    return "npm is missing. Install it: apt-get install npm, or https://nodejs.org/en/download"


_NEEDS: Final[dict[str, Callable[[Mapping[str, str]], str | None]]] = {"emulator": _emulator, "npm": _npm}


def main(needs: Sequence[str], environ: Mapping[str, str]) -> int:
    """Exit status 1 if anything is missing."""
    problems = missing(needs, environ)
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
