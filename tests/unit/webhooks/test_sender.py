"""Outbound calls against real sockets on this machine."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest

from tests.unit.webhooks.loopback import (
    Certificates,
    dripping,
    hanging,
    make_certificates,
    never_reading,
    replying,
    serving,
)
from webhooks.errors import ForbiddenTargetError, UnreachableError
from webhooks.ports import Answer, Post
from webhooks.sender import HttpSender

if TYPE_CHECKING:
    from webhooks.addresses import Address
    from webhooks.resolver import Resolve

OK: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
NAME: Final = "hooks.example"
QUICK: Final = timedelta(seconds=0.3)
PATIENCE: Final = 5.0
"""Far above `QUICK`, far below for ever."""


def post(url: str, body: bytes = b"{}") -> Post:
    return Post("acme/orders", url, {"Content-Type": "application/json", "webhook-id": "1"}, body)


def resolving(*addresses: str) -> Resolve:
    """A resolver that knows one answer."""

    def resolve(host: str, port: int, *, seconds: float) -> tuple[Address, ...]:
        return tuple(ip_address(address) for address in addresses)

    return resolve


def problem_of(sender: HttpSender, url: str, body: bytes = b"{}") -> str:
    with pytest.raises(UnreachableError) as caught:
        sender.send(post(url, body))
    return caught.value.problem


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"), NAME)


@pytest.fixture
def local() -> HttpSender:
    return HttpSender(loopback=True, timeout=QUICK)


class TestARequest:
    def test_arrives_as_it_was_given_with_the_receivers_name(self) -> None:
        sender = HttpSender(loopback=True, resolve=resolving("127.0.0.1"))
        with serving(replying(OK)) as served:
            answer = sender.send(post(f"http://{NAME}:{served.port}/hook?key=1", b'{"a":1}'))
        head, _, body = served.requests[0].partition(b"\r\n\r\n")
        assert answer == Answer(204)
        assert head.split(b"\r\n")[0] == b"POST /hook?key=1 HTTP/1.1"
        assert f"Host: {NAME}:{served.port}".encode() in head
        assert {b"Content-Type: application/json", b"webhook-id: 1", b"Content-Length: 7"} < set(head.split(b"\r\n"))
        assert body == b'{"a":1}'

    @pytest.mark.parametrize("status", [200, 301, 400, 404, 410, 500, 503])
    def test_gives_back_any_status_and_the_pause_that_is_asked_for(self, local: HttpSender, status: int) -> None:
        reply = b"HTTP/1.1 %d X\r\nRetry-After: 120\r\nContent-Length: 2\r\n\r\nno" % status
        with serving(replying(reply)) as served:
            answer = local.send(post(f"http://127.0.0.1:{served.port}/"))
        assert answer == Answer(status, "120")

    def test_follows_no_redirect(self, local: HttpSender) -> None:
        with serving(replying(OK)) as inner:
            redirect = f"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:{inner.port}/\r\nContent-Length: 0\r\n\r\n"
            with serving(replying(redirect.encode())) as served:
                assert local.send(post(f"http://127.0.0.1:{served.port}/")).status == 307
            assert inner.connections == 0

    def test_ignores_proxies_of_the_environment(self, local: HttpSender, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(replying(OK)) as proxy, serving(replying(OK)) as served:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            local.send(post(f"http://127.0.0.1:{served.port}/"))
            assert (proxy.connections, served.connections) == (0, 1)

    def test_reaches_ipv6(self) -> None:
        with serving(replying(OK), host="::1") as served:
            HttpSender(loopback=True).send(post(f"http://[::1]:{served.port}/"))
        assert f"Host: [::1]:{served.port}".encode() in served.requests[0]


class TestTls:
    def test_asks_for_and_verifies_the_original_name_at_the_pinned_address(self, certificates: Certificates) -> None:
        sender = HttpSender(loopback=True, resolve=resolving("127.0.0.1"), tls=certificates.client)
        with serving(replying(OK), tls=certificates.server) as served:
            assert sender.send(post(f"https://{NAME}:{served.port}/")).status == 204
        assert served.server_names == [NAME]

    def test_refuses_a_certificate_of_another_name(self, certificates: Certificates) -> None:
        sender = HttpSender(loopback=True, resolve=resolving("127.0.0.1"), tls=certificates.client)
        with serving(replying(OK), tls=certificates.server) as served:
            assert problem_of(sender, f"https://other.example:{served.port}/") == "tls"
        assert not served.requests

    def test_refuses_an_authority_that_is_not_trusted(self, certificates: Certificates) -> None:
        sender = HttpSender(loopback=True, resolve=resolving("127.0.0.1"))
        with serving(replying(OK), tls=certificates.server) as served:
            assert problem_of(sender, f"https://{NAME}:{served.port}/") == "tls"
        assert not served.requests

    def test_reports_a_receiver_that_speaks_no_tls(self) -> None:
        with serving(lambda stream, _: stream.sendall(OK)) as served:
            assert problem_of(HttpSender(loopback=True), f"https://127.0.0.1:{served.port}/") == "tls"


class TestForbiddenTargets:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::10.0.0.1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:7f00:1::1",
        ],
    )
    def test_a_name_that_resolves_to_such_an_address_is_refused(self, address: str) -> None:
        with pytest.raises(ForbiddenTargetError):
            HttpSender(resolve=resolving(address)).send(post(f"https://{NAME}/"))

    def test_one_private_address_among_public_ones_is_enough(self) -> None:
        with pytest.raises(ForbiddenTargetError):
            HttpSender(resolve=resolving("93.184.215.14", "10.0.0.1")).send(post(f"https://{NAME}/"))

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "017700000001", "[::1]"])
    def test_loopback_is_refused_by_default_however_it_is_written(self, host: str) -> None:
        with serving(replying(OK)) as served:
            with pytest.raises(ForbiddenTargetError):
                HttpSender().send(post(f"https://{host}:{served.port}/"))
            assert served.connections == 0

    def test_plain_http_is_refused_by_default(self) -> None:
        with serving(replying(OK)) as served:
            with pytest.raises(ValueError, match="https"):
                HttpSender(resolve=resolving("127.0.0.1")).send(post(f"http://{NAME}:{served.port}/"))
            assert served.connections == 0

    @pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "fe80::1", "93.184.215.14"])
    def test_plain_http_reaches_nothing_but_loopback_where_it_is_allowed(self, address: str) -> None:
        with pytest.raises(ForbiddenTargetError):
            HttpSender(loopback=True, resolve=resolving(address)).send(post(f"http://{NAME}/"))

    def test_loopback_allows_no_private_address(self) -> None:
        with pytest.raises(ForbiddenTargetError):
            HttpSender(loopback=True, resolve=resolving("127.0.0.1", "10.0.0.1")).send(post(f"https://{NAME}/"))

    def test_a_name_is_resolved_once_so_that_a_second_answer_can_not_differ(self) -> None:
        """DNS rebinding: public at the check, private at the connection."""
        answers = [("127.0.0.1",), ("127.0.0.2",)]

        def rebinding(host: str, port: int, *, seconds: float) -> tuple[Address, ...]:
            return tuple(ip_address(address) for address in answers.pop(0))

        with serving(replying(OK)) as served, serving(replying(OK), host="127.0.0.2") as other:
            HttpSender(loopback=True, resolve=rebinding).send(post(f"http://{NAME}:{served.port}/"))
            assert (served.connections, other.connections) == (1, 0)
        assert len(answers) == 1


class TestTimeLimit:
    """The limit is for the whole call, whatever trickles in before."""

    @pytest.fixture(autouse=True)
    def _bounded(self) -> object:
        started = time.monotonic()
        yield
        assert time.monotonic() - started < PATIENCE

    def test_a_receiver_that_hangs_is_left(self, local: HttpSender) -> None:
        with serving(hanging) as served:
            assert problem_of(local, f"http://127.0.0.1:{served.port}/") == "timeout"

    def test_a_receiver_that_drips_its_headers_is_left(self, local: HttpSender) -> None:
        with serving(dripping(b"HTTP/1.1 200 OK\r\nX-A: ", b"a")) as served:
            assert problem_of(local, f"http://127.0.0.1:{served.port}/") == "timeout"

    def test_a_receiver_that_says_continue_for_ever_is_left(self, local: HttpSender) -> None:
        with serving(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n")) as served:
            assert problem_of(local, f"http://127.0.0.1:{served.port}/") == "timeout"

    def test_a_receiver_that_drips_its_body_has_answered(self, local: HttpSender) -> None:
        with serving(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a")) as served:
            assert local.send(post(f"http://127.0.0.1:{served.port}/")).status == 200

    def test_a_receiver_that_reads_nothing_is_left(self, local: HttpSender) -> None:
        with serving(never_reading) as served:
            assert problem_of(local, f"http://127.0.0.1:{served.port}/", bytes(20_000_000)) == "timeout"

    def test_a_tls_handshake_that_never_ends_is_left(self, certificates: Certificates) -> None:
        sender = HttpSender(loopback=True, timeout=QUICK, resolve=resolving("127.0.0.1"), tls=certificates.client)
        with serving(never_reading) as served:
            assert problem_of(sender, f"https://{NAME}:{served.port}/") == "timeout"

    def test_a_body_without_an_end_is_not_read_to_its_end(self) -> None:
        sender = HttpSender(loopback=True, timeout=timedelta(seconds=30))
        with serving(dripping(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", bytes(65_536))) as served:
            assert sender.send(post(f"http://127.0.0.1:{served.port}/")).status == 200


class TestBrokenReceivers:
    def test_nobody_listens(self, local: HttpSender) -> None:
        with serving(replying(OK)) as served:
            port = served.port
        assert problem_of(local, f"http://127.0.0.1:{port}/") == "connect"

    @pytest.mark.parametrize(
        "reply",
        [
            b"",
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 200_000,
            b"HTTP/1.1 999999 OK\r\n\r\n",
        ],
        ids=["hangs up", "no HTTP", "half an answer", "endless header", "no status"],
    )
    def test_what_is_no_answer_is_a_failure(self, local: HttpSender, reply: bytes) -> None:
        with serving(replying(reply)) as served:
            assert problem_of(local, f"http://127.0.0.1:{served.port}/") in {"protocol", "network"}

    def test_an_address_that_refuses_is_passed_over_for_the_next_one(self) -> None:
        sender = HttpSender(loopback=True, resolve=resolving("127.0.0.3", "127.0.0.1"))
        with serving(replying(OK)) as served:
            assert sender.send(post(f"http://{NAME}:{served.port}/")).status == 204

    def test_a_name_without_addresses_is_a_failure(self) -> None:
        assert problem_of(HttpSender(resolve=resolving()), f"https://{NAME}/") == "dns"


def test_a_hanging_receiver_delays_no_call_to_another(local: HttpSender) -> None:
    with serving(hanging) as slow, serving(replying(OK)) as quick:
        waiting = [
            threading.Thread(target=problem_of, args=(local, f"http://127.0.0.1:{slow.port}/")) for _ in range(8)
        ]
        for thread in waiting:
            thread.start()
        deadline = time.monotonic() + PATIENCE
        while len(slow.requests) < 8 and time.monotonic() < deadline:
            slow.ended.wait(0.005)
        assert local.send(post(f"http://127.0.0.1:{quick.port}/")).status == 204
        for thread in waiting:
            thread.join()
