"""What a rollout needs from the outside, as protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from events.envelope import Outgoing
    from rollout.plan import Smoke, SmokeReport
    from rollout.sample import Sample
    from rollout.service import Change, Service

__all__ = ["Measurements", "PushLanes", "RunAdmin", "SmokeTest"]


class RunAdmin(Protocol):
    """The Cloud Run services of one region. Raises `TransientError` where it may work later."""

    def read(self, name: str) -> Service: ...

    def apply(self, service: Service, change: Change) -> None:
        """Raises `ConflictError` if the service is no longer as it was read.

        Returns once the change was accepted: whether it took effect is told by the next reading.
        """


class Measurements(Protocol):
    def sample(self, service: str, revision: str, since: datetime, until: datetime) -> Sample:
        """What is known of the revision, some minutes late. Raises `TransientError`."""


class PushLanes(Protocol):
    """A lane is a topic with one push subscription, both of the same name. Every method may be called again."""

    def open(self, name: str, *, endpoint: str, account: str, audience: str) -> None: ...

    def publish(self, name: str, message: Outgoing) -> None: ...

    def close(self, name: str) -> None: ...

    def names(self, prefix: str) -> tuple[str, ...]:
        """Lanes, whole or half gone, whose names begin so."""


class SmokeTest(Protocol):
    def test(self, service: Service, step: Smoke) -> SmokeReport:
        """Raises a `CutoutError` where the test could not be made."""

    def clean(self, service: str) -> None:
        """Remove what earlier tests of the service left. Raises a `CutoutError`."""
