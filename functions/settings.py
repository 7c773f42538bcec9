"""What the functions read from the environment, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from cloud.cdn import KEY_PATTERN, CdnKey
from cloud.environment import Environment, SettingsError
from events.names import MODEL_PATTERN
from functions.expectation import Expectation
from functions.tenants import Tenant
from jobs.costs import Billing
from jobs.places import Buckets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from events.messages import CostKind

__all__ = ["ApiSettings", "CdnSettings", "Settings", "SigningSettings"]

_HOST: Final = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"


@dataclass(frozen=True, slots=True)
class Settings:
    """What every function needs."""

    project: str
    region: str
    buckets: Buckets
    content_secret: bytes
    model: str
    vcpus: float
    gib: float
    log_format: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        settings = cls(
            project=env.text("PROJECT"),
            region=env.text("REGION"),
            buckets=Buckets(
                uploads=env.text("UPLOADS_BUCKET"),
                mattes=env.text("MATTES_BUCKET"),
                results=env.text("RESULTS_BUCKET"),
                jobs=env.text("JOBS_BUCKET"),
                assets=env.text("ASSETS_BUCKET", default=""),
            ),
            content_secret=env.secret_bytes("CONTENT_SECRET"),
            model=env.text("MODEL", pattern=MODEL_PATTERN),
            vcpus=env.number("FUNCTION_VCPUS", default=1.0, minimum=0.08),
            gib=env.number("FUNCTION_GIB", default=1.0, minimum=0.125),
            log_format=env.choice("LOG_FORMAT", ("json", "text"), default="json"),
        )
        env.check()
        return settings

    def billing(self, kind: CostKind) -> Billing:
        return Billing(kind=kind, plan="function", region=self.region, vcpus=self.vcpus, gib=self.gib)


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What the public functions need besides."""

    tenants: tuple[Tenant, ...]
    public_url: str
    expected: Expectation

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        settings = cls(
            tenants=env.json("TENANTS", tuple[Tenant, ...]),
            public_url=env.text("PUBLIC_URL").rstrip("/"),
            expected=Expectation(
                cold_start=env.number("EXPECTED_COLD_START_SECONDS", default=20.0, minimum=0),
                network=env.number("EXPECTED_NETWORK_SECONDS", default=2.0, minimum=0),
                render=env.number("EXPECTED_RENDER_SECONDS", default=1.0, minimum=0),
            ),
        )
        env.check()
        return settings


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """Who signs URLs: a key file where there is one, as locally; else IAM in the name of the account."""

    signing_account: str
    signing_key_file: str
    storage_url: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        key_file = env.text("SIGNING_KEY_FILE", default="")
        settings = cls(
            signing_account=env.text("SIGNING_ACCOUNT", default="" if key_file else None),
            signing_key_file=key_file,
            storage_url=env.text("STORAGE_URL", default="https://storage.googleapis.com"),
        )
        env.check()
        return settings


@dataclass(frozen=True, slots=True)
class CdnSettings:
    """The CDN in front of the results, and the key that signs its URLs."""

    host: str
    key: CdnKey

    @property
    def endpoint(self) -> str:
        return f"https://{self.host}"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self | None:
        """None where neither variable is set: results are given out by the bucket.

        Raises `SettingsError` naming the one that is missing or wrong; of the key nothing is shown.
        """
        env = Environment(environ)
        host = env.text("CDN_HOST", default="", pattern=_HOST)
        key = env.text("CDN_KEY", default="", pattern=KEY_PATTERN, shown=False)
        env.check()
        if not host and not key:
            return None
        if not host or not key:
            raise SettingsError({"CDN_KEY" if host else "CDN_HOST": "is not set, but the other one of the CDN is"})
        return cls(host=host, key=CdnKey.parse(key))
