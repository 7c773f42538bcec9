"""What the functions that tell receivers read from the environment, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from cloud.environment import Environment, SettingsError
from webhooks.links import LinkLives
from webhooks.retries import RetryPolicy
from webhooks.sender import TIMEOUT
from webhooks.subscriptions import Subscriptions, Webhooks

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WebhookSettings"]

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_LONGEST_LINK: Final = 7 * _DAY
"""How long a V4 signature can be valid at most."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`loopback` lets deliveries reach this machine, in plain HTTP too: never set it in the cloud."""

    subscriptions: Subscriptions
    loopback: bool
    timeout: timedelta
    retries: RetryPolicy
    lives: LinkLives

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        webhooks: Webhooks = env.json("WEBHOOKS", Webhooks, default={})
        loopback = env.boolean("WEBHOOK_LOOPBACK", default=False)
        timeout = env.seconds("WEBHOOK_TIMEOUT_SECONDS", default=TIMEOUT, minimum=_SECOND / 10, maximum=30 * _SECOND)
        usual, kept = RetryPolicy(), LinkLives()
        retries = RetryPolicy(
            first=env.seconds("WEBHOOK_FIRST_PAUSE_SECONDS", default=usual.first, minimum=_SECOND / 10, maximum=_DAY),
            longest=env.seconds("WEBHOOK_LONGEST_PAUSE_SECONDS", default=usual.longest, minimum=_SECOND, maximum=_DAY),
            window=env.seconds("WEBHOOK_WINDOW_SECONDS", default=usual.window, minimum=_SECOND, maximum=7 * _DAY),
        )
        lives = LinkLives(
            link=env.seconds("WEBHOOK_LINK_SECONDS", default=kept.link, minimum=60 * _SECOND, maximum=_LONGEST_LINK),
            result=env.seconds("RESULT_LIFETIME_SECONDS", default=kept.result, minimum=60 * _SECOND),
        )
        env.check()
        try:
            subscriptions = Subscriptions(webhooks, plain=loopback)
        except ValueError as error:
            raise SettingsError({"WEBHOOKS": f"is wrong: {error}"}) from None
        return cls(subscriptions=subscriptions, loopback=loopback, timeout=timeout, retries=retries, lives=lives)
