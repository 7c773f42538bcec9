from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.names import TENANT_PATTERN
from jobs.tokens import new_token, tenant_of, token_digest, token_matches


@given(st.from_regex(TENANT_PATTERN, fullmatch=True))
def test_a_token_says_whose_job_it_opens(tenant: str) -> None:
    assert tenant_of(new_token(tenant)) == tenant


def test_tokens_are_all_different() -> None:
    assert len({new_token("acme") for _ in range(100)}) == 100


def test_only_the_token_itself_matches_its_digest() -> None:
    token = new_token("acme")
    assert token_matches(token, token_digest(token))
    assert not token_matches(new_token("acme"), token_digest(token))
    assert not token_matches(token[:-1], token_digest(token))
    assert token not in token_digest(token)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme",
        "acme.",
        "acme.short",
        f"acme.{'a' * 42}",
        f"acme.{'a' * 44}",
        f"acme.{'a' * 43}\n",
        f"acme\n.{'a' * 43}",
        f"../acme.{'a' * 43}",
        f"ACME.{'a' * 43}",
        f".{'a' * 43}",
        f"acme.{'ä' * 43}",
    ],
)
def test_what_has_not_a_tokens_form_claims_no_tenant(text: str) -> None:
    assert tenant_of(text) is None
