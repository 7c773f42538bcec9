from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.target import Target, parse_target


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://hooks.example", Target("https", "hooks.example", 443, "/"), "hooks.example"),
        ("https://Hooks.Example:443/a?b=c", Target("https", "hooks.example", 443, "/a?b=c"), "hooks.example"),
        ("https://hooks.example:8443/", Target("https", "hooks.example", 8443, "/"), "hooks.example:8443"),
        ("https://[2001:db8::1]/x", Target("https", "2001:db8::1", 443, "/x"), "[2001:db8::1]"),
        ("https://xn--bcher-kva.example/", Target("https", "xn--bcher-kva.example", 443, "/"), "xn--bcher-kva.example"),
        ("https://10.0.0.1/", Target("https", "10.0.0.1", 443, "/"), "10.0.0.1"),
    ],
)
def test_a_url_is_taken_apart(url: str, target: Target, authority: str) -> None:
    assert parse_target(url, plain=False) == target
    assert target.authority == authority


def test_plain_http_needs_leave() -> None:
    assert parse_target("http://127.0.0.1:8080/", plain=True) == Target("http", "127.0.0.1", 8080, "/")
    with pytest.raises(ValueError, match="https"):
        parse_target("http://127.0.0.1:8080/", plain=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "//hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "https://",
        "https:///path",
        "https://user@hooks.example/",
        "https://user:secret@hooks.example/",
        "https://hooks.example/#there",
        "https://hooks.example:0/",
        "https://hooks.example:65536/",
        "https://hooks.example:secret/",
        "https://hooks.example\\@10.0.0.1/",
        "https://hooks.example /",
        "https://hooks.example/\r\nHost: other",
        "https://hooks.example/\x00",
        "https://hooks.example./",
        "https://.example/",
        "https://bücher.example/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://[::1]x/",
        "https://[1]/",
        "https://[v1.secret]/",
        f"https://hooks.example/{'a' * 2048}",
    ],
)
def test_anything_else_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_target(url, plain=False)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=60).map(lambda text: f"https://{text}"))
def test_no_text_gets_through_that_names_another_host_later(url: str) -> None:
    try:
        target = parse_target(url, plain=False)
    except ValueError:
        return
    assert url.lower().removeprefix("https://").lstrip("[").startswith(target.host)
    assert target.path.startswith(("/", "?")) or target.path == "/"
