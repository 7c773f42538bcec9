"""The adapter against a server that answers as told, and the emulator's memory."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from cloud.bigquery import BigQueryQueries, BigQueryTable, bigquery_client
from events.errors import PermanentError, TransientError
from local.bigquery import BigQueryEmulator, create_cost_table
from local.ports import LOOPBACK, free_ports
from tests.http_server import Answer
from tests.integration.costs.table import NOON, CostTable, cost, event
from tests.integration.stub_server import StubServer
from warehouse.ports import Row
from warehouse.recorder import Recorder, RowRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.processes import Supervisor

ROWS = [Row(f"id-{number}", {"event_id": f"id-{number}"}) for number in range(4)]


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with StubServer() as server:
        yield server


@pytest.fixture
def stubbed(stub: StubServer) -> Iterator[BigQueryTable]:
    table = BigQueryTable.connect("d.cost_events", project="p", emulator=stub.url, deadline=2.0)
    yield table
    table.close()


def refused(*errors: tuple[int, str]) -> Answer:
    body = {"insertErrors": [{"index": place, "errors": [{"reason": reason}]} for place, reason in errors]}
    return Answer(200, json.dumps(body).encode(), (("Content-Type", "application/json"),))


def sent(stub: StubServer) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(stub.next_request().body)
    return body


class TestInserting:
    def test_rows_go_under_their_ids_each_on_its_own(self, stub: StubServer, stubbed: BigQueryTable) -> None:
        stub.will_answer(Answer(200, b"{}"))
        assert stubbed.insert(ROWS[:2]) == []

        asked = stub.next_request()
        assert asked.path.startswith("/bigquery/v2/projects/p/datasets/d/tables/cost_events/insertAll")
        assert json.loads(asked.body) == {
            "rows": [{"insertId": row.id, "json": dict(row.values)} for row in ROWS[:2]],
            "skipInvalidRows": True,
        }

    def test_a_server_that_is_away_for_a_moment_is_asked_again(self, stub: StubServer, stubbed: BigQueryTable) -> None:
        stub.will_answer(Answer(503), Answer(502), Answer(200, b"{}"))
        assert stubbed.insert(ROWS) == []

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 500, 503])
    def test_a_request_that_fails_as_a_whole_may_work_later(
        self, stub: StubServer, stubbed: BigQueryTable, status: int
    ) -> None:
        stub.will_answer(Answer(status, b"{}"))
        with pytest.raises(TransientError, match=r"insert into p\.d\.cost_events failed"):
            stubbed.insert(ROWS)

    def test_a_server_that_is_not_there_may_be_later(self) -> None:
        (port,) = free_ports(1)
        table = BigQueryTable.connect("d.t", project="p", emulator=f"http://{LOOPBACK}:{port}", deadline=0.3)
        with pytest.raises(TransientError):
            table.insert(ROWS)

    def test_only_the_rows_that_failed_are_sent_again(self, stub: StubServer, stubbed: BigQueryTable) -> None:
        stub.will_answer(
            refused((0, "backendError"), (1, "invalid"), (3, "stopped")), refused((1, "timeout")), refused()
        )
        pauses: list[float] = []
        outcomes = Recorder(stubbed, sleep=pauses.append, pauses=(0.1, 0.2, 0.3)).record(ROWS)

        assert [[row["insertId"] for row in sent(stub)["rows"]] for _ in range(3)] == [
            ["id-0", "id-1", "id-2", "id-3"],
            ["id-0", "id-3"],
            ["id-3"],
        ]
        assert [type(outcome) for outcome in outcomes] == [type(None), RowRefusedError, type(None), type(None)]
        assert pauses == [0.1, 0.2]


class TestQuerying:
    def test_wrong_sql_is_no_use_to_try_again(self, table: CostTable) -> None:
        with pytest.raises(PermanentError):
            table.queries.rows("SELECT nothing FROM nowhere.at_all WHERE", {})

    def test_parameters_are_values_and_never_sql(self, table: CostTable) -> None:
        asked = table.queries.rows("SELECT @name AS name, @at AS at_", {"name": "'; DROP TABLE x --", "at": NOON})
        assert asked == [{"name": "'; DROP TABLE x --", "at_": NOON}]

    def test_a_server_that_is_away_may_come_back(self, stub: StubServer) -> None:
        stub.will_answer(Answer(503))
        queries = BigQueryQueries.connect(project="p", emulator=stub.url, deadline=0.5)
        with pytest.raises(TransientError):
            queries.rows("SELECT 1", {})


def test_the_emulator_remembers_what_it_was_told_even_if_it_is_killed(
    supervisor: Supervisor, project: str, tmp_path: Path
) -> None:
    def emulator() -> BigQueryEmulator:
        (port,) = free_ports(1)
        return BigQueryEmulator(port=port, data=tmp_path / "bigquery", project=project)

    for run in range(2):
        server = emulator()
        process = supervisor.start(server.program())
        with bigquery_client(project=project, emulator=server.url) as client:
            create_cost_table(client, "kept")
            table = CostTable(BigQueryTable(client, "kept.cost_events"), BigQueryQueries(client), "kept")
            table.record(event(cost(occurred_at=NOON + timedelta(hours=run))))
            assert table.scalar("SUM(usd)") == Decimal("0.001") * (run + 1)
        process.kill()
        supervisor.stop(process)
