"""The object store on fake-gcs-server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from cloud.storage import CHUNK_BYTES, GoogleObjectStore
from events.errors import TransientError, UploadMissingError
from local.fake_gcs import FakeGcs, create_buckets
from local.ports import free_ports
from local.processes import Supervisor
from local.topology import BUCKETS, TOPICS, UPLOADS_BUCKET, UPLOADS_TOPIC, declare

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.ports import ObjectStore

BUCKET = "results"
METADATA = {
    "job-id": "019ab0d2",
    "cost_usd": "0.001184100",
    "recipes": '[{"effect":"none"}, {"a":"b=c;d"}]',
    "empty": "",
}
TOO_LARGE_FOR_ONE_REQUEST_OF_THE_LIBRARY = 9 << 20


@pytest.fixture
def fill(store: GoogleObjectStore, unique: str) -> list[str]:
    names = [f"{unique}/{part}" for part in ("a", "b/c", "b/d", "e")]
    for name in reversed(names):
        assert store.create(BUCKET, name, name.encode(), content_type="text/plain", metadata={"name": name})
    return names


def test_the_store_is_the_one_that_jobs_ask_for(store: GoogleObjectStore) -> None:
    port: ObjectStore = store
    assert port.read(BUCKET, "nothing/here") is None


def test_what_is_created_is_read_with_its_metadata(store: GoogleObjectStore, unique: str) -> None:
    assert store.create(BUCKET, unique, b"\x00\xffdata", content_type="image/png", metadata=METADATA)

    read = store.read(BUCKET, unique)
    assert read is not None
    assert read.data == b"\x00\xffdata"
    assert read.stat.name == unique
    assert read.stat.size == 6
    assert read.stat.content_type == "image/png"
    assert read.stat.metadata == METADATA
    assert read.stat.generation > 0
    assert store.stat(BUCKET, unique) == read.stat


@pytest.mark.parametrize("size", [0, 10, TOO_LARGE_FOR_ONE_REQUEST_OF_THE_LIBRARY])
def test_the_second_to_create_an_object_changes_nothing(store: GoogleObjectStore, unique: str, size: int) -> None:
    assert store.create(BUCKET, unique, b"1" * size, content_type="image/png", metadata={"by": "first"})
    assert not store.create(BUCKET, unique, b"2" * size, content_type="text/plain", metadata={"by": "second"})

    read = store.read(BUCKET, unique)
    assert read is not None
    assert read.data == b"1" * size
    assert (read.stat.content_type, read.stat.metadata) == ("image/png", {"by": "first"})


def test_of_many_who_create_at_once_one_wins(store: GoogleObjectStore, unique: str) -> None:
    def create(writer: int) -> bool:
        return store.create(BUCKET, unique, str(writer).encode() * 1000, content_type="text/plain")

    with ThreadPoolExecutor(32) as threads:
        written = list(threads.map(create, range(32)))

    assert written.count(True) == 1
    read = store.read(BUCKET, unique)
    assert read is not None
    assert read.data == str(written.index(True)).encode() * 1000


@pytest.mark.parametrize("name", ["a b", "ä/ö", "100%", "a?b#c", "a+b&c=d", "~references/x", "a%2Fb"])
def test_any_name_is_one_object(store: GoogleObjectStore, unique: str, name: str) -> None:
    name = f"{unique}/{name}"
    assert store.create(BUCKET, name, b"1", content_type="text/plain")

    read = store.read(BUCKET, name)
    assert read is not None
    assert (read.stat.name, read.data) == (name, b"1")
    assert [stat.name for stat in store.list(BUCKET, unique)] == [name]
    assert b"".join(store.stream(BUCKET, name, generation=read.stat.generation)) == b"1"
    store.delete(BUCKET, name)
    assert store.stat(BUCKET, name) is None


def test_nothing_is_none(store: GoogleObjectStore, unique: str) -> None:
    assert store.read(BUCKET, unique) is None
    assert store.stat(BUCKET, unique) is None
    assert store.list(BUCKET, unique) == []


def test_a_stream_arrives_in_chunks(store: GoogleObjectStore, unique: str) -> None:
    data = bytes(range(256)) * (5 * CHUNK_BYTES // 512)
    store.create(BUCKET, unique, data, content_type="image/png")
    stat = store.stat(BUCKET, unique)
    assert stat is not None

    chunks = list(store.stream(BUCKET, unique, generation=stat.generation))

    assert b"".join(chunks) == data
    assert len(chunks) > 1
    assert max(map(len, chunks)) <= CHUNK_BYTES


def test_a_stream_is_of_its_generation_only(store: GoogleObjectStore, unique: str) -> None:
    store.create(BUCKET, unique, b"old", content_type="image/png")
    old = store.stat(BUCKET, unique)
    assert old is not None
    store.delete(BUCKET, unique)
    store.create(BUCKET, unique, b"new", content_type="image/png")

    with pytest.raises(UploadMissingError) as raised:
        next(store.stream(BUCKET, unique, generation=old.generation))
    assert raised.value.code == "upload_missing"


def test_a_list_is_in_name_order_under_its_prefix(store: GoogleObjectStore, unique: str, fill: list[str]) -> None:
    listed = store.list(BUCKET, f"{unique}/")
    assert [stat.name for stat in listed] == fill
    assert [stat.metadata["name"] for stat in listed] == fill
    assert listed[0] == store.stat(BUCKET, fill[0])
    assert [stat.name for stat in store.list(BUCKET, f"{unique}/b/")] == fill[1:3]


def test_a_list_starts_at_its_offset(store: GoogleObjectStore, unique: str, fill: list[str]) -> None:
    assert [stat.name for stat in store.list(BUCKET, f"{unique}/", start_offset=fill[2])] == fill[2:]
    assert [stat.name for stat in store.list(BUCKET, f"{unique}/", start_offset=f"{unique}/b/cc")] == fill[2:]
    assert store.list(BUCKET, f"{unique}/", start_offset=f"{unique}/z") == []


def test_of_a_list_the_first_can_be_asked_for(store: GoogleObjectStore, unique: str, fill: list[str]) -> None:
    assert [stat.name for stat in store.list(BUCKET, f"{unique}/", most=2)] == fill[:2]
    assert [stat.name for stat in store.list(BUCKET, f"{unique}/", start_offset=fill[1], most=1)] == fill[1:2]
    assert [stat.name for stat in store.list(BUCKET, f"{unique}/", most=1000)] == fill


def test_deleting_what_is_gone_does_nothing(store: GoogleObjectStore, unique: str) -> None:
    store.create(BUCKET, unique, b"1", content_type="text/plain")
    store.delete(BUCKET, unique)
    store.delete(BUCKET, unique)
    assert store.read(BUCKET, unique) is None


@pytest.mark.parametrize(
    "metadata", [{"Job-Id": "1"}, {"": "1"}, {"a b": "1"}, {"a": " 1"}, {"a": "1\n"}, {"a": "1\r\nb: 2"}, {"a": "ä"}]
)
def test_metadata_that_would_not_come_back_is_refused(
    store: GoogleObjectStore, unique: str, metadata: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="metadata"):
        store.create(BUCKET, unique, b"1", content_type="text/plain", metadata=metadata)
    assert store.stat(BUCKET, unique) is None


def test_a_bucket_that_is_not_there_is_a_failure_to_write_and_to_list(store: GoogleObjectStore) -> None:
    with pytest.raises(TransientError, match="404"):
        store.create("no-such-bucket", "name", b"1", content_type="text/plain")
    with pytest.raises(TransientError, match="no bucket"):
        store.list("no-such-bucket", "")


def test_objects_and_their_metadata_survive_a_restart(project: str, pubsub: str, tmp_path: Path) -> None:
    declare(project, pubsub, TOPICS, ())
    stats = []
    for _ in range(2):
        (port,) = free_ports(1)
        server = FakeGcs(
            port=port,
            objects=tmp_path / "objects",
            pubsub=pubsub,
            project=project,
            events_bucket=UPLOADS_BUCKET,
            events_topic=UPLOADS_TOPIC,
        )
        with Supervisor(tmp_path / "logs") as supervisor:
            supervisor.start(server.program())
            create_buckets(server.url, project, BUCKETS)
            store = GoogleObjectStore.connect(endpoint=server.url)
            store.create(BUCKET, "kept", b"data", content_type="image/png", metadata=METADATA)
            stats.append(store.stat(BUCKET, "kept"))
            store.close()
    assert stats[0] is not None
    assert stats[0].metadata == METADATA
    assert stats[0] == stats[1]
