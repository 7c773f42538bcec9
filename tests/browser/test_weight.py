"""What a shop's page has to load, as a bundler would ship it."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import expect

if TYPE_CHECKING:
    import pytest

    from tests.browser.shopper import Shopper

STOREFRONT: Final = Path(__file__).parents[2] / "storefront"
LIMIT: Final = 6_000
SLOW_4G: Final[dict[str, Any]] = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
IMPORT: Final = """
async () => {
  const started = performance.now();
  await import('/storefront/cutout.js');
  return performance.now() - started;
}
"""
PAINTED: Final = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
TRANSFERRED: Final = """
(kind) =>
  performance.getEntriesByType('resource').filter(({ name }) => name.endsWith(kind)).map((one) => one.transferSize)
"""


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


def test_the_client_and_the_shop_load_fast_on_a_slow_line(shopper: Shopper, capsys: pytest.CaptureFixture[str]) -> None:
    shopper.visit("/healthz")
    line = shopper.context.new_cdp_session(shopper.page)
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", SLOW_4G)
    imported, client = shopper.page.evaluate(IMPORT), shopper.page.evaluate(TRANSFERRED, ".js")
    shopper.visit()
    expect(shopper.page.locator("#samples img")).to_have_count(4)
    painted, shop = shopper.page.evaluate(PAINTED), shopper.page.evaluate(TRANSFERRED, "")
    with capsys.disabled():
        print("\non a slow 4G line (150 ms, 1.6 Mbit/s), neither bundled, minified nor compressed:")
        print(f"  client: {len(client)} requests, {sum(client) / 1000:.1f} kB, imported in {imported:.0f} ms")
        print(f"  demo shop: {len(shop)} requests, {sum(shop) / 1000:.1f} kB, first paint after {painted:.0f} ms")

    assert imported < 2000
    assert painted < 3000
