"""What follows from the messages of the alerts topic, in any order and however often they come."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from alerts.incident import decode_incident
from alerts.mitigator import MITIGATION_SECONDS
from alerts.ports import Answer
from alerts.rules import CapInstances, Rollback
from events.errors import TransientError
from tests.fakes import Crash
from tests.unit.alerts.office import APP, BUCKET, CHAT, HOOK, POLICY, Office, incident
from tests.waiting import until


def failing() -> Answer:
    return Answer(503, b"try later")


class TestAnIncident:
    def test_is_told_to_every_receiver_with_what_was_done_about_it(self, office: Office) -> None:
        office.alert("firing")
        assert office.run.changes == ["r2=100"]
        [hook] = office.poster.to(HOOK)
        assert (hook["phase"], hook["actions"][0]["status"]) == ("firing", "done")
        [app] = office.poster.to(APP)
        assert "moved the traffic of gpu-worker from r3 back to r2" in app["text"]
        assert office.left_claims() == []

    def test_is_told_once_however_often_it_comes(self, office: Office) -> None:
        for _ in range(3):
            office.alert("firing")
        assert len(office.poster.posted) == 2
        assert office.run.changes == ["r2=100"]

    def test_has_one_time_limit_for_all_that_is_done_about_it(self, office: Office) -> None:
        office.rules = (
            CapInstances(policy=POLICY, service="gpu-worker", instances=1),
            Rollback(policy=POLICY, service="gpu-worker"),
        )
        office.alert("firing")
        assert office.run.changes == ["max=1", "r2=100"]
        first, second = office.run.limits
        assert first is second
        assert MITIGATION_SECONDS - 5 < first.left() <= MITIGATION_SECONDS

    def test_is_updated_to_resolved_where_the_receiver_can(self, office: Office) -> None:
        office.alert("firing")
        office.alert("resolved")
        office.alert("resolved")
        assert [url.rpartition("/")[2] for url, _, _ in office.poster.posted if url.startswith(APP.url)] == [
            "chat.postMessage",
            "chat.update",
        ]
        update = office.poster.to(APP)[1]
        assert (update["channel"], update["ts"]) == ("C1", "1795.1")
        assert "Resolved: gpu-worker errors" in update["text"]
        assert "moved the traffic of gpu-worker" in update["text"]

    def test_has_one_more_message_at_its_end_where_the_receiver_cant(self, office: Office) -> None:
        office.receivers = (CHAT,)
        for name in ("firing", "firing", "resolved", "resolved"):
            office.alert(name)
        assert [message["text"].splitlines()[0] for message in office.poster.to(CHAT)] == [
            "*:red_circle: Firing: gpu-worker errors*",
            "*:white_check_mark: Resolved: gpu-worker errors*",
        ]

    def test_has_one_key_for_all_its_messages(self, office: Office) -> None:
        office.alert("firing")
        office.alert("resolved")
        keys = {message["key"] for message in office.poster.to(HOOK)}
        assert len(keys) == 1
        idempotency = [headers["Idempotency-Key"] for url, _, headers in office.poster.posted if url == HOOK.url]
        assert idempotency == [f"{keys.copy().pop()}-firing", f"{keys.copy().pop()}-resolved"]

    def test_that_is_over_is_neither_told_as_firing_nor_mitigated(self, office: Office) -> None:
        office.alert("resolved")
        office.alert("firing")
        assert [message["phase"] for message in office.poster.to(HOOK)] == ["resolved"]
        assert office.run.changes == []

    def test_of_another_policy_has_other_mitigations(self, office: Office) -> None:
        office.alert("firing", policy_name="daily spend")
        [told] = office.poster.to(HOOK)
        assert [action["action"] for action in told["actions"]] == ["cap-instances-gpu-worker", "pause-warming"]
        assert office.run.changes == ["max=1"]
        assert office.flags.up_until("warming-paused") is not None

    @pytest.mark.parametrize("name", ["without_optional_fields", "log_based", "hostile", "another_version"])
    def test_of_any_recorded_kind_is_told_and_not_mitigated_without_a_rule(self, office: Office, name: str) -> None:
        office.alert(name)
        office.alert(name)
        assert len(office.poster.to(HOOK)) == 1
        assert office.run.changes == []


class TestTestMessages:
    def test_each_is_told_though_all_have_one_incident_id(self, office: Office) -> None:
        for message_id in ("1", "2", "2"):
            office.alert("test_message", message_id=message_id)
        assert [message["phase"] for message in office.poster.to(HOOK)] == ["test", "test"]

    def test_mitigate_nothing_whatever_policy_they_name(self, office: Office) -> None:
        office.alert("test_message", policy_name="gpu-worker errors")
        assert office.run.changes == []


class TestWhatCantBeRead:
    def test_is_delivered_as_it_is_once(self, office: Office) -> None:
        for _ in range(2):
            office.desk().handle(b"<b>not JSON</b>", message_id="1")
        [told] = office.poster.to(HOOK)
        assert (told["phase"], told["text"]) == ("unreadable", "<b>not JSON</b>")
        assert "&lt;b&gt;not JSON" in office.poster.to(APP)[0]["text"]

    def test_mitigates_nothing(self, office: Office) -> None:
        office.desk().handle(incident("firing", state="burning"), message_id="1")
        assert office.poster.to(HOOK)[0]["phase"] == "unreadable"
        assert office.run.changes == []


class TestFailingReceivers:
    def test_bring_the_message_again_without_telling_or_doing_anything_twice(self, office: Office) -> None:
        office.poster.answers[HOOK.url] = failing
        for _ in range(2):
            with pytest.raises(TransientError, match="hook answered 503: try later"):
                office.alert("firing")
        del office.poster.answers[HOOK.url]
        office.alert("firing")
        assert (len(office.poster.to(APP)), len(office.poster.to(HOOK))) == (1, 1)
        assert office.run.changes == ["r2=100"]
        assert office.left_claims() == []

    def test_keep_no_other_receiver_waiting(self, office: Office) -> None:
        office.receivers = (HOOK, CHAT)
        office.poster.answers[HOOK.url] = failing
        with pytest.raises(TransientError):
            office.alert("firing")
        assert len(office.poster.to(CHAT)) == 1

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"ok":false,"error":"channel_not_found"}', "app answered channel_not_found"),
            (b"<html>", "app does not answer as Slack does"),
        ],
    )
    def test_are_noticed_where_slack_says_no_with_status_200(self, office: Office, body: bytes, reason: str) -> None:
        office.poster.answers[f"{APP.url}/chat.postMessage"] = lambda: Answer(200, body)
        with pytest.raises(TransientError, match=reason):
            office.alert("firing")

    def test_a_message_that_cant_be_updated_any_more_is_followed_by_another(self, office: Office) -> None:
        office.alert("firing")
        gone = Answer(200, b'{"ok":false,"error":"message_not_found"}')
        office.poster.answers[f"{APP.url}/chat.update"] = lambda: gone
        office.alert("resolved")
        assert "Resolved" in office.poster.to(APP)[-1]["text"]
        assert office.poster.calls().count("chat.postMessage") == 2


class TestManyAtOnce:
    def test_one_instance_works_and_the_others_are_sent_away(self, office: Office) -> None:
        working, go_on = threading.Event(), threading.Event()

        def slow() -> Answer:
            working.set()
            assert go_on.wait(5)
            return Answer(200, b"ok")

        office.receivers = (HOOK,)
        office.poster.answers[HOOK.url] = slow
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(office.alert, "firing")
            assert working.wait(5)
            with pytest.raises(TransientError, match="another process"):
                office.alert("firing")
            with pytest.raises(TransientError, match="another process"):
                office.alert("resolved")
            go_on.set()
            first.result(5)
        office.alert("firing")
        assert (len(office.poster.posted), office.run.changes) == (1, ["r2=100"])

    def test_twenty_at_once_tell_and_do_everything_once(self, office: Office) -> None:
        start = threading.Barrier(20)

        def delivered() -> bool:
            try:
                office.alert("firing")
            except TransientError:
                return False
            return True

        def deliver() -> None:
            start.wait(5)
            until(delivered)

        with ThreadPoolExecutor(20) as pool:
            for delivery in [pool.submit(deliver) for _ in range(20)]:
                delivery.result()
        assert (len(office.poster.posted), office.run.changes) == (2, ["r2=100"])


class TestAReceiverThatKeepsFailing:
    def test_is_left_alone_for_a_while_and_told_in_the_end(self, office: Office) -> None:
        office.poster.answers[HOOK.url] = failing
        for attempt in range(5):
            with pytest.raises(TransientError, match="answered 503"):
                office.alert("firing", message_id=str(attempt))
        del office.poster.answers[HOOK.url]
        with pytest.raises(TransientError, match="alert:hook failed too often"):
            office.alert("firing")
        assert office.poster.to(HOOK) == []
        office.clock.advance(30)
        office.alert("firing")
        assert len(office.poster.to(HOOK)) == 1

    def test_keeps_nobody_else_from_hearing_of_an_incident(self, office: Office) -> None:
        office.poster.answers[HOOK.url] = failing
        for attempt in range(6):
            with pytest.raises(TransientError):
                office.alert("firing", incident_id=f"0.{attempt}")
        assert len(office.poster.to(APP)) == 6
        assert office.breakers.states() == {"alert:app": "closed", "alert:hook": "open"}


class TestCrashes:
    def test_a_crash_at_any_step_leaves_nothing_untold_and_nothing_done_twice(self) -> None:
        """A message is posted twice only where the process died between the post and its record."""
        steps = 0
        while True:
            office = Office()
            office.faults.arm(steps + 1, Crash())
            try:
                office.alert("firing")
            except Crash:
                steps += 1
            else:
                break
            died_before = office.faults.operations[steps - 1]
            office.clock.advance(300)  # the claim of the dead process has ended
            office.alert("firing")
            assert office.run.changes == ["r2=100"], died_before
            assert len(office.poster.posted) == (3 if "/told-" in died_before and "create" in died_before else 2)
            assert {len(office.poster.to(receiver)) > 0 for receiver in office.receivers} == {True}
            assert "r3" in office.poster.to(HOOK)[0]["actions"][0]["text"]
        assert steps > 10

    def test_a_process_that_died_holds_an_incident_up_for_two_minutes(self, office: Office) -> None:
        name = "~claims/alerts/" + incident_key() + "/"
        office.store.create(BUCKET, f"{name}2026-11-23T12:02:00.000000Z~dead", b"", content_type="text/plain")
        office.clock.advance(119)
        with pytest.raises(TransientError, match="another process"):
            office.alert("firing")
        office.clock.advance(2)
        office.alert("firing")
        assert len(office.poster.posted) == 2
        assert office.left_claims() == []


def incident_key() -> str:
    return decode_incident(incident("firing")).key
