from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from local.ticker import Tick, tick_forever
from tests.unit.webhooks.loopback import read_request, serving

if TYPE_CHECKING:
    import socket

    from tests.unit.webhooks.loopback import Served


def test_a_tick_comes_again_whatever_became_of_the_last_one() -> None:
    ended = threading.Event()
    replies = [b"", b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"]

    def handle(stream: socket.socket, served: Served) -> None:
        served.requests.append(read_request(stream))
        if not replies:
            ended.set()
        stream.sendall(replies.pop(0) if replies else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with serving(handle) as served:
        tick_forever(Tick(0.001, f"http://127.0.0.1:{served.port}/sweep_deliveries"), ended)
    assert [request.split(b" HTTP")[0] for request in served.requests] == [b"POST /sweep_deliveries"] * 3
