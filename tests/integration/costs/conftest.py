"""A BigQuery emulator for these tests, and in it a dataset of its own for each."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import grpc
import pytest
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from cloud.bigquery import BigQueryQueries, BigQueryTable, bigquery_client
from local.bigquery import BigQueryEmulator, create_cost_table
from local.ports import free_ports
from local.processes import Supervisor
from tests.integration.adapters.conftest import Subscriptions
from tests.integration.costs.table import CostTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import Client


@pytest.fixture(scope="package")
def bigquery(project: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryEmulator]:
    folder = tmp_path_factory.mktemp("bigquery")
    (port,) = free_ports(1)
    server = BigQueryEmulator(port=port, data=folder / "data", project=project)
    with Supervisor(folder / "logs") as supervisor:
        supervisor.start(server.program())
        yield server


@pytest.fixture(scope="package")
def subscriptions(project: str, pubsub: str) -> Iterator[Subscriptions]:
    with grpc.insecure_channel(pubsub) as channel:
        yield Subscriptions(project, pubsub, SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)))


@pytest.fixture(scope="package")
def client(bigquery: BigQueryEmulator, project: str) -> Iterator[Client]:
    with bigquery_client(project=project, emulator=bigquery.url) as client:
        yield client


@pytest.fixture
def table(client: Client) -> CostTable:
    """The cost table and its views, empty."""
    dataset = f"test_{uuid.uuid4().hex}"
    create_cost_table(client, dataset)
    return CostTable(BigQueryTable(client, f"{dataset}.cost_events"), BigQueryQueries(client), dataset)
