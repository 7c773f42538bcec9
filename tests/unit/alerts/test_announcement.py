from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.announcement import Announcement, Pages, of_incident, unreadable
from alerts.incident import Incident, Link, decode_incident
from alerts.mitigator import Mitigated
from alerts.slack import MAX_HEADER, MAX_SECTION, slack_message
from alerts.text import plain
from alerts.webhook import webhook_message
from tests.unit.alerts.office import incident

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PAGES = Pages(runbook="https://runbooks.example/", dashboard="https://dashboards.example/cutout")
ROLLED_BACK = Mitigated(
    action="rollback-gpu-worker", status="done", text="moved r3 back to r2", command="gcloud run ... r3=100"
)


def announced(name: str, *actions: Mitigated, **changes: object) -> Announcement:
    read = decode_incident(incident(name, **changes))
    return of_incident(read, actions, PAGES, key=read.key, now=NOW)


def facts(announcement: Announcement) -> dict[str, str]:
    return dict(announcement.facts)


class TestWhatIsTold:
    def test_a_firing_incident_tells_severity_what_since_when_and_the_value_against_its_threshold(self) -> None:
        told = announced("firing")
        assert told.title == "Firing: gpu-worker errors"
        assert facts(told) == {
            "Severity": "critical",
            "What": "5xx ratio over 5 minutes",
            "Since": "2026-11-23 11:56 UTC, for 4 min",
            "Observed": "0.412 (threshold > 0.05)",
            "Metric": "Request Count",
            "Resource": "cutout-shop Cloud Run Revision labels {project_id=cutout-shop, service_name=gpu-worker, "
            "location=europe-west4}",
        }
        assert "above the threshold of 0.050" in told.text
        assert "look at the newest revision" in told.text

    def test_a_resolved_one_tells_how_long_it_took(self) -> None:
        told = announced("resolved")
        assert told.title == "Resolved: gpu-worker errors"
        assert facts(told)["Since"] == "2026-11-23 11:56 UTC, for 12 min, until 2026-11-23 12:08 UTC"

    def test_a_test_message_says_that_it_is_one(self) -> None:
        told = announced("test_message")
        assert (told.phase, told.title) == ("test", "Test notification: projects/12345/alertPolicies/12345")
        assert "Since" not in facts(told)

    def test_without_values_nothing_is_said_of_them(self) -> None:
        assert set(facts(announced("log_based"))) == {"Severity", "What", "Since", "Resource"}

    @pytest.mark.parametrize(
        ("seconds", "spoken"),
        [(10, "less than a minute"), (60, "1 min"), (7260, "2 h 1 min"), (90_000, "1 d 1 h"), (-60, "less than a min")],
    )
    def test_durations_are_spoken(self, seconds: int, spoken: str) -> None:
        started = int(NOW.timestamp()) - seconds
        assert f"for {spoken}" in facts(announced("firing", started_at=started))["Since"]


class TestLinks:
    def test_the_policys_own_runbook_comes_first_and_replaces_ours(self) -> None:
        assert [link.name for link in announced("firing").links] == [
            "Runbook: worker errors",
            "Dashboard",
            "Worker logs",
            "Incident",
        ]

    def test_the_operators_pages_stand_in_where_the_policy_names_none(self) -> None:
        assert announced("log_based").links[:2] == (
            Link(name="Runbook", url="https://runbooks.example/"),
            Link(name="Dashboard", url="https://dashboards.example/cutout"),
        )

    def test_only_what_opens_as_a_page_becomes_a_link(self) -> None:
        urls = [link.url for link in announced("hostile").links]
        assert urls == ["https://runbooks.example.com/a|b>c", "https://dashboards.example/cutout"]


class TestSlack:
    def test_what_was_done_stands_in_the_message_with_the_way_back(self) -> None:
        text = slack_message(announced("firing", ROLLED_BACK))["text"]
        assert "*done*: moved r3 back to r2\nundo: `gcloud run ... r3=100`" in text

    def test_text_says_what_the_blocks_say_for_chats_that_know_no_blocks(self) -> None:
        message = slack_message(announced("firing", ROLLED_BACK))
        blocks = msgspec.json.encode(message["blocks"]).decode()
        for said in ("Firing: gpu-worker errors", "0.412 (threshold &gt; 0.05)", "moved r3 back", "runbooks.example"):
            assert said in message["text"]
            assert said in blocks

    def test_nobody_is_called_and_nothing_is_linked_by_a_foreign_text(self) -> None:
        message = slack_message(announced("hostile"))
        shown = msgspec.json.encode(message).decode()
        assert "<!" not in shown
        assert "<@" not in shown
        assert "<http://evil" not in shown
        assert "javascript:" not in shown
        assert "file:" not in shown
        assert "\\u202e" not in shown
        assert "\u202e" not in shown
        assert "\x1b" not in shown
        assert "<https://runbooks.example.com/a%7Cb%3Ec|Runbook&gt; &lt;!here&gt;>" in shown

    def test_a_raw_message_is_one_block_of_code_that_its_text_cant_leave(self) -> None:
        text = slack_message(unreadable(b"a ``` <!channel> b", "no version", key="k"))["blocks"][2]["text"]["text"]
        assert text.count("`") == 6
        assert text.startswith("```a ")
        assert "&lt;!channel&gt;" in text

    @given(
        st.builds(
            Incident,
            id=st.text(),
            project=st.text(),
            severity=st.sampled_from(("critical", "error", "warning", "none")),
            started_at=st.none() | st.just(NOW),
            ended_at=st.none() | st.just(NOW),
            url=st.sampled_from(("", "https://x.example/" + "a" * 900)),
            summary=st.text() | st.just("<" * 9000),
            documentation=st.text() | st.just("&" * 9000),
            links=st.lists(st.builds(Link, name=st.text(), url=st.just("https://y.example/?" + "&" * 900))).map(tuple),
        ),
        st.lists(st.builds(Mitigated, action=st.text(), status=st.just("done"), text=st.text(), command=st.text())),
    )
    def test_every_message_keeps_to_slacks_limits(self, told: Incident, actions: list[Mitigated]) -> None:
        blocks = slack_message(of_incident(told, tuple(actions), PAGES, key="k", now=NOW))["blocks"]
        assert len(blocks) <= 50
        assert 1 <= len(blocks[0]["text"]["text"]) <= MAX_HEADER
        assert 1 <= len(blocks[1]["fields"]) <= 10
        assert all(1 <= len(field["text"]) <= 2000 for field in blocks[1]["fields"])
        assert all(1 <= len(block["text"]["text"]) <= MAX_SECTION for block in blocks[2:])


class TestWebhook:
    def test_any_receiver_gets_the_key_the_phase_and_every_part(self) -> None:
        message = as_json(webhook_message(announced("firing", ROLLED_BACK)))
        assert (message["version"], message["phase"], message["key"]) == (1, "firing", announced("firing").key)
        assert message["facts"]["severity"] == "critical"
        assert message["links"][0] == {
            "name": "Runbook: worker errors",
            "url": "https://runbooks.example.com/cutout/gpu-worker-errors",
        }
        assert message["actions"][0]["status"] == "done"
        assert message["incident"] == {
            "id": "0.opqiw61fsv7p",
            "project": "cutout-shop",
            "policy": "gpu-worker errors",
            "severity": "critical",
            "started_at": "2026-11-23T11:56:00Z",
            "ended_at": None,
        }

    def test_what_cant_be_read_has_no_incident_and_the_raw_text(self) -> None:
        message = as_json(webhook_message(unreadable(b"\xffhm", "not JSON", key="k")))
        assert (message["phase"], message["incident"], message["text"]) == ("unreadable", None, "\ufffdhm")
        assert message["facts"] == {"problem": "not JSON", "bytes": "3"}


class TestPlainText:
    def test_a_name_stays_in_one_line_whatever_it_is(self) -> None:
        told = announced("hostile")
        assert told.title == "Firing: gpu-worker errors Action: rollback payments"
        assert not any("\n" in fact.text for fact in told.facts)
        assert not any("\n" in link.name for link in told.links)

    @given(st.text(alphabet=st.characters(codec="utf-8")), st.integers(1, 40))
    def test_is_bounded_and_printable(self, text: str, limit: int) -> None:
        shown = plain(text, limit)
        assert len(shown) <= limit
        assert all(character.isprintable() or character == "\n" for character in shown)

    def test_what_was_cut_ends_in_an_ellipsis(self) -> None:
        assert plain("abcdef", 4) == "abc…"
        assert plain("abcdef" * 100, 6) == "abcde…"
        assert plain("abcdef", 6) == "abcdef"

    def test_raw_text_of_any_size_is_bounded(self) -> None:
        assert len(unreadable(b"x" * 10_000_000, "p" * 9999, key="k").text) == 2000


def as_json(message: dict[str, Any]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(message))
