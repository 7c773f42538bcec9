"""The service account key of the local stack: a key file as Google hands them out, made here once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ensure_signing_key"]

_BITS: Final = 2048


def ensure_signing_key(path: Path, project: str) -> Path:
    """`path`, with a key file of a made-up account in it; one that is there stays as it is."""
    if path.exists():
        return path
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    content = {
        "type": "service_account",
        "project_id": project,
        "client_email": f"functions@{project}.iam.gserviceaccount.com",
        "private_key": pem.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(content))
    unfinished.replace(path)
    return path
