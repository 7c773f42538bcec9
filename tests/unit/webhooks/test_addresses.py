from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.addresses import embedded, is_loopback, is_public

every_v4 = st.integers(0, 2**32 - 1).map(IPv4Address)
every_v6 = st.integers(0, 2**128 - 1).map(IPv6Address)

# What Python 3.11 calls global although the registries don't.
_KNOWN_GAPS = [IPv4Network(network) for network in ("192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24")]


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.215.14",
        "172.15.255.255",
        "172.32.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "11.0.0.0",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
        "64:ff9b::8.8.8.8",
        "::ffff:8.8.8.8",
        "2001:200::1",
    ],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.1.2.3",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.8.8.8",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.251",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd20:ce::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ],
)
def test_addresses_of_anything_else_are_not(address: str) -> None:
    assert not is_public(ip_address(address))


@given(every_v4)
def test_whatever_python_knows_to_be_private_is_not_public(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert not is_public(address)
    elif not is_public(address):
        assert any(address in gap for gap in [*_KNOWN_GAPS, IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24")])


@given(every_v6)
def test_ipv6_beyond_global_unicast_is_not_public(address: IPv6Address) -> None:
    if address.is_private or address.is_multicast or address.is_link_local or address.is_site_local:
        assert not is_public(address) or embedded(address) != address


@given(every_v4)
def test_an_ipv4_address_in_ipv6_clothes_is_judged_as_what_it_is(address: IPv4Address) -> None:
    mapped = IPv6Address(int(IPv6Address("::ffff:0:0")) | int(address))
    translated = IPv6Address(int(IPv6Address("64:ff9b::")) | int(address))
    assert embedded(mapped) == embedded(translated) == address
    assert is_public(mapped) == is_public(translated) == is_public(address)
    assert is_loopback(mapped) == is_loopback(address)
