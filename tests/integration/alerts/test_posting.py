"""POSTs to webhooks that behave, and to some that don't."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cloud.posting import JsonPoster
from events.errors import TransientError
from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers every connection with the same bytes, then goes on with `forever`, or closes."""

    def __init__(self, answer: bytes, forever: bytes = b"", *, pause: float = 0.0) -> None:
        self._answer, self._forever, self._pause = answer, forever, pause
        self._socket = socket.create_server((LOOPBACK, 0))
        self._closed = threading.Event()
        self.requests: list[bytes] = []
        self.url = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}/secret-path"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65_536))
                try:
                    connection.sendall(self._answer)
                    while self._forever and not self._closed.wait(self._pause):
                        connection.sendall(self._forever)
                except OSError:
                    continue

    def close(self) -> None:
        self._closed.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextmanager
def serving(answer: bytes, forever: bytes = b"", *, pause: float = 0.0) -> Iterator[Server]:
    server = Server(answer, forever, pause=pause)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


def test_the_answer_comes_back_with_its_status() -> None:
    with serving(b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno_team") as server:
        answer = JsonPoster().post(server.url, b'{"a":1}', {"Authorization": "Bearer t"})
    assert answer == (404, b"no_team")
    [request] = server.requests
    assert request.startswith(b"POST /secret-path HTTP/1.1\r\n")
    assert b"Content-Type: application/json; charset=utf-8\r\n" in request
    assert b"Authorization: Bearer t\r\n" in request


def test_a_redirect_is_not_followed() -> None:
    with serving(OK) as elsewhere:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        with serving(moved.encode()) as server:
            assert JsonPoster().post(server.url, b"{}", {}).status == 302
    assert elsewhere.requests == []


def test_a_body_without_end_is_read_in_part() -> None:
    with serving(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x" * 65_536) as server:
        answer = JsonPoster().post(server.url, b"{}", {})
    assert 65_536 <= len(answer.body) <= 70_000


def test_a_body_that_drips_is_left_in_time() -> None:
    started = time.monotonic()
    with serving(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x", pause=0.05) as server:
        assert JsonPoster(patience=0.3).post(server.url, b"{}", {}).status == 200
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 20", id="half"),
        pytest.param(b"SSH-2.0\r\n\r\n", id="no HTTP"),
    ],
)
def test_no_answer_is_an_error_that_keeps_the_url_secret(answer: bytes) -> None:
    with serving(answer) as server, pytest.raises(TransientError, match="no answer") as failed:
        JsonPoster().post(server.url, b"{}", {})
    assert "secret" not in str(failed.value)
    assert failed.value.__cause__ is None


def test_a_server_that_hangs_or_is_gone_is_given_up() -> None:
    with serving(b"", b" ", pause=30) as server, pytest.raises(TransientError, match="Timeout"):
        JsonPoster(patience=0.2).post(server.url, b"{}", {})
    with pytest.raises(TransientError, match="ConnectionError"):
        JsonPoster().post(server.url, b"{}", {})


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{LOOPBACK}:1")
    with serving(OK) as server:
        assert JsonPoster().post(server.url, b"{}", {}).body == b"ok"
