"""One network's weights: a file, and the manifest beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from gpu_worker.weights.digests import demand_digest
from gpu_worker.weights.errors import WeightsError, WeightsMissingError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Manifest", "Precision", "Weights"]

Precision = Literal["f32", "bf16", "f16"]
"""What a network computes in: float32, bfloat16 or float16."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a JSON file beside the weights says. `bytes` and `sha256` are those of `file`, in the same folder."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    file: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, msgspec.Meta(gt=0)]
    source: str
    licence: str
    obtained: str
    precision: Precision = "f32"


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file and its manifest. Nobody has looked into the file until `verify`."""

    manifest: Manifest
    path: Path

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def sha256(self) -> str:
        return self.manifest.sha256

    @property
    def precision(self) -> Precision:
        """That of the tensors in the file."""
        return self.manifest.precision

    @classmethod
    def read(cls, manifest: Path) -> Weights:
        """The weights that a manifest names. Raises `WeightsError`, or `WeightsMissingError` for a missing file."""
        try:
            decoded = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
        except FileNotFoundError:
            raise WeightsMissingError(f"{manifest}: no such manifest", path=str(manifest)) from None
        except msgspec.DecodeError as error:
            raise WeightsError(f"{manifest}: not a manifest: {error}", path=str(manifest)) from error
        path = manifest.with_name(decoded.file)
        if not path.is_file():
            raise WeightsMissingError(f"{path}: no such file, but {manifest.name} names it", path=str(path))
        return cls(decoded, path)

    def verify(self) -> None:
        """Raise `WeightsError` unless the file has the size and the SHA-256 of the manifest. Reads all of it."""
        size = self.path.stat().st_size
        if size != self.manifest.bytes:
            raise WeightsError(
                f"{self.path}: {size} bytes, but its manifest says {self.manifest.bytes}", path=str(self.path)
            )
        demand_digest(self.path, "sha256", self.sha256)
