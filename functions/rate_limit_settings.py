"""What the public functions read of their rate limits from the environment, once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self, get_args

import msgspec

from cloud.environment import Environment, SettingsError
from cloud.windows import Quota
from functions.rate_limits import PublicFunction, Quotas

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_LIMITS", "IN_MEMORY", "RateLimitSettings"]

IN_MEMORY: Final = "memory://"
DEFAULT_LIMITS: Final[Mapping[PublicFunction, Quotas]] = MappingProxyType(
    {
        "request_upload": Quotas(Quota(120, 60), Quota(1200, 60)),
        "restyle": Quotas(Quota(120, 60), Quota(1200, 60)),
        "job_status": Quotas(Quota(1200, 60), Quota(30_000, 60)),
        "delete_job": Quotas(Quota(120, 60), Quota(1200, 60)),
        "intents": Quotas(Quota(300, 60), Quota(12_000, 60)),
    }
)
"""One address may be that of an office, or of a mobile network's many shoppers. Each asks for a job's status once a
second or holds one long poll, and tells of an intent at every step."""

_OFF: Final = "off"


def _over(text: str | None, usual: Quota | None) -> Quota | None:
    if text is None:
        return usual
    return None if text == _OFF else Quota.parse(text)


class _Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Texts as `Quota` reads them, `off`, or None for the default."""

    address: str | None = None
    tenant: str | None = None

    def __post_init__(self) -> None:
        self.over(Quotas())

    def over(self, usual: Quotas) -> Quotas:
        return Quotas(_over(self.address, usual.address), _over(self.tenant, usual.tenant))


class _AllLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    request_upload: _Limits = _Limits()
    restyle: _Limits = _Limits()
    job_status: _Limits = _Limits()
    delete_job: _Limits = _Limits()
    intents: _Limits = _Limits()


@dataclass(frozen=True, slots=True)
class RateLimitSettings:
    """`storage` is `memory://` or the URL of a Redis, which may hold its password."""

    quotas: Mapping[PublicFunction, Quotas]
    storage: str = field(repr=False)
    proxies: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is wrong."""
        env = Environment(environ)
        limits = env.json("RATE_LIMITS", _AllLimits, default=_AllLimits())
        storage = env.text("RATE_LIMIT_STORAGE", default=IN_MEMORY)
        proxies = env.integer("TRUSTED_PROXIES", default=0, minimum=0, maximum=10)
        env.check()
        if storage != IN_MEMORY and re.fullmatch(r"rediss?://\S+", storage) is None:
            raise SettingsError({"RATE_LIMIT_STORAGE": f"is wrong, must be {IN_MEMORY}, redis://... or rediss://..."})
        names: tuple[PublicFunction, ...] = get_args(PublicFunction)
        quotas = {name: getattr(limits, name).over(DEFAULT_LIMITS[name]) for name in names}
        return cls(quotas=MappingProxyType(quotas), storage=storage, proxies=proxies)
