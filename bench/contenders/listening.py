"""The plainest way to put a library behind HTTP: a thread a request, and one photo at a time in the library.

Only the standard library, as in `bench.contenders.lines`.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["listen"]


def listen(cut: Callable[[bytes], bytes]) -> int:
    """The port of a server in a thread of its own: `POST` a photo there, and its cutout comes back."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            photo = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                cutout = cut(photo)
            self.send_response(200)
            self.send_header("Content-Length", str(len(cutout)))
            self.end_headers()
            self.wfile.write(cutout)

        def log_message(self, *_: object) -> None:
            """Nothing: a line a request would be work of its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])
