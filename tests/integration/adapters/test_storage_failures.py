"""The object store on a server that fails."""

from __future__ import annotations

import base64
import gzip
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import google_crc32c
import pytest

from cloud.storage import CHUNK_BYTES, GoogleObjectStore
from events.errors import TransientError
from local.ports import LOOPBACK, free_ports
from tests.http_server import Answer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.stub_server import StubServer

BROKEN = Answer(503, b"try later")
CREATED = Answer(200, b'{"generation": "1"}')
THERE_ALREADY = Answer(412, b'{"error": {"code": 412, "message": "precondition"}}')


def media(data: bytes, *, claims_length: int | None = None, checksum_of: bytes | None = None) -> Answer:
    """What the service answers to a read."""
    checksum = google_crc32c.Checksum(data if checksum_of is None else checksum_of).digest()
    headers = (
        ("Content-Type", "image/png"),
        ("x-goog-generation", "7"),
        ("x-goog-hash", f"crc32c={base64.b64encode(checksum).decode()}"),
        ("x-goog-hash", "md5=XUFAKrxLKna5cZ2REBfFkg=="),
        ("x-goog-meta-by", "me"),
    )
    return Answer(200, data, headers, claims_length)


@pytest.fixture
def failing(stub: StubServer) -> Iterator[GoogleObjectStore]:
    store = GoogleObjectStore.connect(endpoint=stub.url, deadline=5.0)
    yield store
    store.close()


CALLS: dict[str, tuple[Callable[[GoogleObjectStore], object], Answer]] = {
    "read": (lambda store: store.read("b", "n"), media(b"data")),
    "stream": (lambda store: list(store.stream("b", "n", generation=7)), media(b"data")),
    "stat": (lambda store: store.stat("b", "n"), Answer(200, b'{"name": "n", "size": "4", "generation": "7"}')),
    "list": (lambda store: store.list("b", ""), Answer(200, b'{"items": []}')),
    "create": (lambda store: store.create("b", "n", b"data", content_type="image/png"), CREATED),
    "delete": (lambda store: store.delete("b", "n"), Answer(204)),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("failure", [BROKEN, Answer(429), Answer(500), BROKEN._replace(claims_length=1000)])
def test_a_call_is_repeated_until_it_works(
    failing: GoogleObjectStore, stub: StubServer, call: str, failure: Answer
) -> None:
    make, good = CALLS[call]
    stub.will_answer(failure, failure, good)

    make(failing)

    assert [stub.next_request() for _ in range(3)]
    assert stub.asked.empty()


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_never_works_ends_at_its_deadline(stub: StubServer, call: str) -> None:
    make, _ = CALLS[call]
    stub.will_answer(BROKEN)
    store = GoogleObjectStore.connect(endpoint=stub.url, deadline=0.5)
    started = time.monotonic()

    with pytest.raises(TransientError, match=f"storage: {call} b/n?") as raised:
        make(store)

    assert time.monotonic() - started < 3
    assert raised.value.retryable
    assert stub.asked.qsize() > 1
    store.close()


@pytest.mark.parametrize("call", CALLS)
def test_a_refusal_is_not_repeated(failing: GoogleObjectStore, stub: StubServer, call: str) -> None:
    make, _ = CALLS[call]
    stub.will_answer(Answer(403, b'{"error": {"code": 403, "message": "forbidden"}}'))

    with pytest.raises(TransientError, match="403"):
        make(failing)

    assert stub.asked.qsize() == 1


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_is_not_there_is_a_passing_failure(call: str) -> None:
    make, _ = CALLS[call]
    store = GoogleObjectStore.connect(endpoint=f"http://{LOOPBACK}:{free_ports(1)[0]}", deadline=0.3)
    with pytest.raises(TransientError):
        make(store)
    store.close()


def test_a_delete_of_one_generation_names_it_and_may_come_too_late(
    failing: GoogleObjectStore, stub: StubServer
) -> None:
    """fake-gcs-server deletes whatever is there."""
    stub.will_answer(Answer(404, b'{"error": {"code": 404, "message": "no such object"}}'))
    failing.delete("b", "n", generation=7)
    assert parse_qs(urlsplit(stub.next_request().path).query) == {"generation": ["7"]}


def test_a_create_whose_answer_was_lost_finds_its_own_object(failing: GoogleObjectStore, stub: StubServer) -> None:
    stub.will_answer(CREATED._replace(claims_length=1000), THERE_ALREADY)

    written = failing.create("b", "n", b"data", content_type="image/png")

    first, second = stub.next_request(), stub.next_request()
    assert "ifGenerationMatch=0" in first.path
    assert first.body == second.body
    assert not written


def test_a_read_is_one_request(failing: GoogleObjectStore, stub: StubServer) -> None:
    stub.will_answer(media(b"data"))
    stored = failing.read("b", "n")
    assert stored is not None
    assert (stored.data, stored.stat.generation, stored.stat.metadata) == (b"data", 7, {"by": "me"})
    assert stub.asked.qsize() == 1


def test_a_read_that_breaks_off_is_repeated(failing: GoogleObjectStore, stub: StubServer) -> None:
    stub.will_answer(media(b"da", claims_length=4), media(b"data"))
    stored = failing.read("b", "n")
    assert stored is not None
    assert stored.data == b"data"


def test_a_list_goes_on_to_the_last_page(failing: GoogleObjectStore, stub: StubServer) -> None:
    stub.will_answer(
        Answer(200, b'{"items": [{"name": "a", "size": "1", "generation": "7"}], "nextPageToken": "t&1"}'),
        Answer(200, b'{"nextPageToken": "t2"}'),
        Answer(200, b'{"items": [{"name": "b", "size": "2", "generation": "8", "contentType": "x/y"}]}'),
    )

    assert failing.list("b", "", start_offset="a") == [("a", 1, 7, "", {}), ("b", 2, 8, "x/y", {})]

    tokens = [parse_qs(urlsplit(stub.next_request().path).query).get("pageToken") for _ in range(3)]
    assert tokens == [None, ["t&1"], ["t2"]]


def test_an_answer_that_makes_no_sense_is_a_passing_failure(failing: GoogleObjectStore, stub: StubServer) -> None:
    stub.will_answer(Answer(200, b"<html>"))
    with pytest.raises(TransientError):
        failing.stat("b", "n")
    with pytest.raises(TransientError):
        failing.read("b", "n")


def test_a_stream_asks_for_its_generation(failing: GoogleObjectStore, stub: StubServer) -> None:
    stub.will_answer(media(b"data"))
    assert list(failing.stream("b", "a/n", generation=7)) == [b"data"]
    assert stub.next_request().path == "/b/a/n?generation=7"


def test_a_stream_gives_what_it_has_before_the_rest_arrives(failing: GoogleObjectStore, stub: StubServer) -> None:
    stub.will_answer(media(b"x" * (CHUNK_BYTES + 100), claims_length=100 * CHUNK_BYTES))
    stream = failing.stream("b", "n", generation=7)

    assert next(stream) == b"x" * CHUNK_BYTES
    with pytest.raises(TransientError):
        list(stream)
    assert stub.asked.qsize() == 1


def test_a_stream_that_is_left_early_leaves_no_connection_behind(failing: GoogleObjectStore, stub: StubServer) -> None:
    stub.will_answer(media(b"x" * (3 * CHUNK_BYTES)))
    stream = failing.stream("b", "n", generation=7)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert failing.read("b", "n") is not None


def test_damaged_bytes_are_not_taken_for_the_object(failing: GoogleObjectStore, stub: StubServer) -> None:
    stub.will_answer(media(b"data", checksum_of=b"date"))
    with pytest.raises(TransientError, match="checksum"):
        failing.read("b", "n")
    with pytest.raises(TransientError, match="checksum"):
        list(failing.stream("b", "n", generation=7))


def test_what_was_stored_compressed_is_read_as_it_is_stored(failing: GoogleObjectStore, stub: StubServer) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    answer = media(bomb)
    stub.will_answer(answer._replace(headers=(*answer.headers, ("Content-Encoding", "gzip"))))
    assert b"".join(failing.stream("b", "n", generation=7)) == bomb
    assert stub.next_request().headers["Accept-Encoding"] == "gzip"


def test_a_create_says_which_bytes_it_means(failing: GoogleObjectStore, stub: StubServer) -> None:
    checksum = base64.b64encode(google_crc32c.Checksum(b"data").digest())

    def answer(asked: Asked) -> Answer:
        return CREATED if checksum in asked.body else Answer(400)

    stub.will_answer(answer)
    assert failing.create("b", "n", b"data", content_type="image/png")
