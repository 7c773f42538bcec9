"""`python -m local status` asks every server that `up` started."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import msgspec
import pytest

from local.ports import free_ports
from local.stack import StackInfo
from local.status import show_status

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS = ("page", "API", "worker", "storage", "pubsub")


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


@pytest.fixture
def info() -> Iterator[StackInfo]:
    """A stack whose servers are all one that says 200."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        where = f"127.0.0.1:{server.server_port}"
        urls = dict.fromkeys(("api_url", "worker_url", "storage_url", "page_url", "bigquery_url"), f"http://{where}")
        rest = {"project": "p", "pubsub": where, "api_key": "k", "network": "instant", "model": "m"}
        yield msgspec.convert({"pid": 1, **urls, **rest}, StackInfo)
        server.shutdown()
        thread.join()


def test_all_servers_are_listed(info: StackInfo, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_status(info) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if " ok" in line]
    assert [row[1] for row in rows] == list(SERVERS)


def test_one_that_does_not_answer_is_an_exit_status_of_its_own(
    info: StackInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    [nobody] = free_ports(1)
    assert show_status(msgspec.structs.replace(info, page_url=f"http://127.0.0.1:{nobody}")) == 1
    assert "ConnectError" in capsys.readouterr().out
