"""`python -m local status` asks every server that `up` started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from local.ports import free_ports
from local.stack import StackInfo
from local.status import show_status
from tests.http_server import Answer, HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS = ("page", "API", "worker", "storage", "pubsub")


@pytest.fixture
def info() -> Iterator[StackInfo]:
    """A stack whose servers are all one that says 200."""
    with HttpServer(lambda _: Answer()) as server:
        urls = dict.fromkeys(("api_url", "worker_url", "storage_url", "page_url", "bigquery_url"), server.url)
        rest = {"project": "p", "pubsub": server.address, "api_key": "k", "network": "instant", "model": "m"}
        yield msgspec.convert({"pid": 1, **urls, **rest}, StackInfo)


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
