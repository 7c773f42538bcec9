"""Servers on this machine that misbehave on demand, and certificates that only the tests trust."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Handler = Callable[[socket.socket, "Served"], None]

__all__ = ["Certificates", "Served", "dripping", "hanging", "make_certificates", "never_reading", "replying", "serving"]


class Served:
    """What a server saw. `ended` is set when the test is over."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[bytes] = []
        self.connections = 0
        self.server_names: list[str | None] = []
        self.ended = threading.Event()


@contextmanager
def serving(handle: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Served]:
    """A server whose every connection is passed to `handle`, in a thread of its own."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        served = Served(listener.getsockname()[1])
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: served.server_names.append(name)
        threads: list[threading.Thread] = []

        def serve(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                stream = connection if tls is None else tls.wrap_socket(connection, server_side=True)
                with stream:
                    handle(stream, served)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    served.connections += 1
                    connection.settimeout(10)
                    threads.append(threading.Thread(target=serve, args=(connection,)))
                    threads[-1].start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield served
        finally:
            served.ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for thread in threads:
                thread.join()


def read_request(stream: socket.socket) -> bytes:
    """One request with its whole body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(stream)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        body += _some(stream)
    return head + b"\r\n\r\n" + body


def _some(stream: socket.socket) -> bytes:
    data = stream.recv(65_536)
    if not data:
        raise ConnectionError("the caller hung up")
    return data


def replying(reply: bytes) -> Handler:
    def handle(stream: socket.socket, served: Served) -> None:
        served.requests.append(read_request(stream))
        stream.sendall(reply)

    return handle


def hanging(stream: socket.socket, served: Served) -> None:
    """Takes the request and says nothing."""
    served.requests.append(read_request(stream))
    served.ended.wait(10)


def never_reading(_stream: socket.socket, served: Served) -> None:
    served.ended.wait(10)


def dripping(start: bytes, drop: bytes) -> Handler:
    """Answers with `start`, then with one more `drop` every few milliseconds, for ever."""

    def handle(stream: socket.socket, served: Served) -> None:
        served.requests.append(read_request(stream))
        stream.sendall(start)
        while not served.ended.wait(0.005):
            stream.sendall(drop)

    return handle


class Certificates(NamedTuple):
    """`client` trusts the authority that signed the server's certificate, which is for one name."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def make_certificates(folder: Path, name: str) -> Certificates:
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = _named("test authority")
    authority = (
        _unsigned(authority_name, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _unsigned(_named(name), authority_name, server_key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    trusted = authority.public_bytes(serialization.Encoding.PEM).decode()
    return Certificates(server, ssl.create_default_context(cadata=trusted))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _unsigned(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
    )
