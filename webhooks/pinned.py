"""The network as a call to a receiver sees it: addresses that were checked before, and one deadline for everything.

The name of the receiver is still what TLS asks for and verifies, and what the header `Host` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpcore

from webhooks.errors import UnreachableError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

    from cloud.deadline import Deadline
    from webhooks.addresses import Address

__all__ = ["PinnedBackend"]

_WRITE_BYTES: Final = 16_384


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the first of `addresses` (at least one) that takes the connection, whatever host is asked for."""

    def __init__(self, addresses: Sequence[Address], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # resolved before
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the deadline counts
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Each address has an equal share of the time that is left. Raises the last failure."""
        *others, last = self._addresses
        for position, address in enumerate(others):
            share = self._deadline.left() / (len(self._addresses) - position)
            try:
                return self._connect(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(last, port, self._deadline.left(), local_address, socket_options)

    def _connect(
        self, address: Address, port: int, seconds: float, local_address: str | None, options: Iterable[Any] | None
    ) -> httpcore.NetworkStream:
        stream = self._network.connect_tcp(str(address), port, seconds, local_address, options)
        return _DeadlineStream(stream, self._deadline)


class _DeadlineStream(httpcore.NetworkStream):
    """No operation lasts beyond the deadline, however many bytes drip in before."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the deadline counts
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        for start in range(0, len(buffer), _WRITE_BYTES):
            self._stream.write(buffer[start : start + _WRITE_BYTES], self._deadline.left())

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Raises `UnreachableError` for whatever is wrong with certificate or handshake."""
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        except httpcore.ConnectError as error:
            raise UnreachableError("tls") from error
        return _DeadlineStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # as the base class has it
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()
