"""The real servers, started once for all tests on free ports, with their state in a folder that goes away.

A missing emulator fails the tests, with the message that says how to install it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cloud.pubsub import GooglePublisher
from cloud.storage import GoogleObjectStore
from local import topology
from local.fake_gcs import FakeGcs, create_buckets
from local.ports import LOOPBACK, free_ports
from local.processes import Supervisor
from local.pubsub_emulator import pubsub_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def project() -> str:
    """The adapters' own: other tests use other projects of the same emulator."""
    return "cutout-adapters"


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for objects, logs and keys."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def supervisor(state: Path) -> Iterator[Supervisor]:
    with Supervisor(state / "logs") as supervisor:
        yield supervisor


@pytest.fixture(scope="session")
def pubsub(supervisor: Supervisor) -> str:
    """`host:port` of the Pub/Sub emulator."""
    running = os.environ.get("PUBSUB_EMULATOR_HOST")
    if running:
        return running
    (port,) = free_ports(1)
    supervisor.start(pubsub_emulator(os.environ, port))
    return f"{LOOPBACK}:{port}"


@pytest.fixture(scope="session")
def storage(supervisor: Supervisor, pubsub: str, project: str, state: Path) -> FakeGcs:
    """fake-gcs-server with the buckets of the local cloud, telling the emulator of uploads."""
    topology.declare(project, pubsub, topology.TOPICS, ())
    (port,) = free_ports(1)
    server = FakeGcs(
        port=port,
        objects=state / "objects",
        pubsub=pubsub,
        project=project,
        events_bucket=topology.UPLOADS_BUCKET,
        events_topic=topology.UPLOADS_TOPIC,
    )
    supervisor.start(server.program())
    create_buckets(server.url, project, topology.BUCKETS)
    return server


@pytest.fixture(scope="session")
def store(storage: FakeGcs) -> Iterator[GoogleObjectStore]:
    store = GoogleObjectStore.connect(endpoint=storage.url)
    yield store
    store.close()


@pytest.fixture(scope="session")
def publisher(pubsub: str, project: str) -> Iterator[GooglePublisher]:
    publisher = GooglePublisher.connect(project=project, emulator=pubsub)
    yield publisher
    publisher.close()
