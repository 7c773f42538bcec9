"""What every user of the Cloud Run Admin API v2 needs: its clients, and the traffic of a service in its terms.

Source: https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from google.cloud.run_v2 import RevisionsClient, ServicesClient, TrafficTarget, TrafficTargetAllocationType
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

if TYPE_CHECKING:
    import grpc

__all__ = ["LATEST", "Clients", "Traffic", "clients_over", "short_name", "traffic_target"]

LATEST: Final = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
_REVISION: Final = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION


class Clients(NamedTuple):
    services: ServicesClient
    revisions: RevisionsClient


class Traffic(Protocol):
    """A share of a service's traffic: `latest` for whichever revision is the latest ready one, else `revision`."""

    @property
    def revision(self) -> str: ...

    @property
    def percent(self) -> int: ...

    @property
    def tag(self) -> str: ...

    @property
    def latest(self) -> bool: ...


def clients_over(channel: grpc.Channel) -> Clients:
    return Clients(
        ServicesClient(transport=ServicesGrpcTransport(channel=channel)),
        RevisionsClient(transport=RevisionsGrpcTransport(channel=channel)),
    )


def traffic_target(traffic: Traffic) -> TrafficTarget:
    return TrafficTarget(
        type_=LATEST if traffic.latest else _REVISION,
        revision="" if traffic.latest else traffic.revision,
        percent=traffic.percent,
        tag=traffic.tag,
    )


def short_name(name: str) -> str:
    """`REVISION` of `projects/P/locations/R/services/S/revisions/REVISION`."""
    return name.rpartition("/")[2]
