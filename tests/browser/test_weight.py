"""What a shop's page has to load, as a bundler would ship it."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

STOREFRONT: Final = Path(__file__).parents[2] / "storefront"
LIMIT: Final = 6_000


def weight(npm: Path, entry: str) -> int:
    """Bytes, bundled, minified and gzipped."""
    esbuild, source = str(npm / ".bin" / "esbuild"), str(STOREFRONT / entry)
    command = [esbuild, source, "--bundle", "--minify", "--format=esm", "--target=es2022"]
    built = subprocess.run(command, check=True, capture_output=True, timeout=60)
    return len(gzip.compress(built.stdout, 9))


def test_the_client_with_its_worker_and_the_warmer_stay_under_six_kilobytes(
    npm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = {entry: weight(npm, entry) for entry in ("cutout.js", "photo-worker.js", "warmer.js")}
    with capsys.disabled():
        told = ", ".join(f"{entry} {size} B" for entry, size in weights.items())
        print(f"\nminified and gzipped: {told}, {sum(weights.values())} B together (limit {LIMIT} B)")

    assert sum(weights.values()) < LIMIT


def test_the_package_holds_every_module_and_nothing_of_the_demo(npm: Path) -> None:
    packed = subprocess.run(
        ["npm", "pack", "--dry-run", "--json"], cwd=STOREFRONT, check=True, capture_output=True, timeout=60, text=True
    )
    for name in ("cutout.js", "cutout.d.ts", "photo.js", "photo-worker.js", "warmer.js", "warmer.d.ts"):
        assert f'"path": "{name}"' in packed.stdout
    assert "demo/" not in packed.stdout


def test_the_types_say_what_a_shop_in_typescript_may_write(npm: Path) -> None:
    checked = subprocess.run(
        [npm / ".bin" / "tsc", "-p", Path(__file__).parent], check=False, capture_output=True, timeout=60, text=True
    )
    assert checked.stdout == ""
    assert checked.returncode == 0
