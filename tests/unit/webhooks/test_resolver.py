from __future__ import annotations

import socket
import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from webhooks.errors import UnreachableError
from webhooks.resolver import resolve

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    return lambda look_up: monkeypatch.setattr(socket, "getaddrinfo", look_up)


def found(*addresses: str) -> list[tuple[object, ...]]:
    """What `getaddrinfo` answers."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]


def test_a_literal_address_is_its_own_answer() -> None:
    assert resolve("127.0.0.1", 443, seconds=5) == (ip_address("127.0.0.1"),)
    assert resolve("::1", 443, seconds=5) == (ip_address("::1"),)


def test_every_address_is_named_once_in_the_systems_order(answering: Callable[[Callable[..., Any]], None]) -> None:
    answering(lambda *_args, **_options: found("8.8.4.4", "2001:db8::1", "8.8.4.4"))
    assert resolve("hooks.example", 443, seconds=5) == (ip_address("8.8.4.4"), ip_address("2001:db8::1"))


@pytest.mark.parametrize("host", ["no-such-name.invalid", f"{'a' * 64}.example"])
def test_a_name_that_is_none_is_a_dns_problem(host: str, answering: Callable[[Callable[..., Any]], None]) -> None:
    real = socket.getaddrinfo

    def look_up(name: str, *args: Any, **options: Any) -> Any:
        if name.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return real(name, *args, **options)

    answering(look_up)
    with pytest.raises(UnreachableError) as caught:
        resolve(host, 443, seconds=5)
    assert caught.value.problem == "dns"


def test_a_name_server_that_hangs_is_left_and_holds_up_no_other_name(
    answering: Callable[[Callable[..., Any]], None],
) -> None:
    over = threading.Event()

    def look_up(name: str, *_args: Any, **_options: Any) -> Any:
        if name == "slow.example":
            over.wait(10)
        return found("8.8.4.4")

    answering(look_up)
    try:
        for _ in range(40):
            with pytest.raises(UnreachableError) as caught:
                resolve("slow.example", 443, seconds=0.005)
            assert caught.value.problem == "timeout"
        assert resolve("quick.example", 443, seconds=5) == (ip_address("8.8.4.4"),)
    finally:
        over.set()
