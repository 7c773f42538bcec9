"""`python -m local asset`: a storefront's own images, stored where recipes find them by their SHA-256."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from cloud.storage import GoogleObjectStore
from events.errors import InvalidMessageError
from events.names import TENANT_PATTERN, asset_name
from imaging.decode import decode
from imaging.inspection import inspect
from local import topology

if TYPE_CHECKING:
    import argparse

    from jobs.ports import ObjectStore
    from local.stack import StackInfo

__all__ = ["add_arguments", "keep", "run"]


def add_arguments(parser: argparse.ArgumentParser, *, state: Path) -> None:
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--tenant", default=topology.TENANT, help=f"whose it is (default: {topology.TENANT})")
    parser.add_argument("--bucket", help="a real project's bucket of assets, instead of the running system's")
    parser.add_argument("--state", type=Path, default=state, help="where `up` keeps its state (default: .local)")


def run(options: argparse.Namespace, info: StackInfo | None) -> int:
    """0. Prints what `--background` takes for each image. Raises a `CutoutError` for what is no image."""
    if options.bucket is not None:
        store = GoogleObjectStore.connect()
    elif info is not None:
        store = GoogleObjectStore.connect(endpoint=info.storage_url)
    else:
        raise RuntimeError("nothing runs; `python -m local up` starts it, or name a real bucket with --bucket")
    for path in options.images:
        sha256 = keep(store, options.bucket or topology.ASSETS_BUCKET, options.tenant, path.read_bytes())
        Console().print(f"{path.name}: asset:{sha256}", highlight=False, soft_wrap=True)
    return 0


def keep(store: ObjectStore, bucket: str, tenant: str, data: bytes) -> str:
    """Store an image that can be decoded, unless it is there already; its SHA-256."""
    if re.fullmatch(TENANT_PATTERN, tenant) is None:
        raise InvalidMessageError({"tenant": f"{tenant[:80]!r} is no tenant's name"})
    decode(data)
    sha256 = hashlib.sha256(data).hexdigest()
    store.create(bucket, asset_name(tenant, sha256), data, content_type=f"image/{inspect(data).format}")
    return sha256
