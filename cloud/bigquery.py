"""BigQuery: rows by streaming insert, and queries.

Sources: https://cloud.google.com/bigquery/docs/streaming-data-into-bigquery, and for what is refused and why
https://cloud.google.com/bigquery/docs/error-messages.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, cast

import requests
from google.api_core.exceptions import BadRequest, GoogleAPIError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.bigquery import Client, QueryJobConfig, ScalarQueryParameter
from google.cloud.bigquery.retry import DEFAULT_RETRY

from events.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from warehouse.ports import Refusal, Row

__all__ = ["DEADLINE_SECONDS", "MOST_ROWS", "BigQueryQueries", "BigQueryTable", "bigquery_client"]

DEADLINE_SECONDS: Final = 30.0
"""A call starts no further attempt after this time."""
MOST_ROWS: Final = 500
"""What Google recommends for one insert: https://cloud.google.com/bigquery/quotas#streaming_inserts."""

_ATTEMPT_SECONDS: Final = 20.0
_PERMANENT: Final = frozenset({"invalid", "invalidQuery", "notImplemented"})
"""Reasons that concern the row itself. All others pass: timeouts, quotas, a neighbour's fault (`stopped`)."""
_FAILURES: Final = (GoogleAPIError, GoogleAuthError, requests.RequestException, OSError)


class _Refusal(NamedTuple):
    """Field for field a `warehouse.ports.Refusal`, which this layer may not import."""

    place: int
    reason: str
    permanent: bool


def bigquery_client(*, project: str, emulator: str | None = None) -> Client:
    """A client of `emulator` (an URL), else of `BIGQUERY_EMULATOR_HOST`, else of the real service."""
    host = emulator or os.environ.get("BIGQUERY_EMULATOR_HOST")
    if host:
        return Client(project=project, credentials=AnonymousCredentials(), client_options={"api_endpoint": host})
    return Client(project=project)


class BigQueryTable:
    """`warehouse.ports.RowTable`. Thread-safe. `name` is `dataset.table` of the client's project."""

    def __init__(self, client: Client, name: str, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._client = client
        self._name = f"{client.project}.{name}"
        self._retry = DEFAULT_RETRY.with_delay(initial=0.2, maximum=5.0, multiplier=2.0).with_timeout(deadline)

    @classmethod
    def connect(
        cls, name: str, *, project: str, emulator: str | None = None, deadline: float = DEADLINE_SECONDS
    ) -> Self:
        return cls(bigquery_client(project=project, emulator=emulator), name, deadline=deadline)

    def insert(self, rows: Sequence[Row]) -> Sequence[Refusal]:
        """One request for all rows, repeated as long as it fails as a whole and the deadline allows.

        A row's id lets the service drop what is sent again within a minute or so; that is its best effort, no promise.
        """
        with _reporting(f"insert into {self._name}"):
            refused = self._client.insert_rows_json(
                self._name,
                [dict(row.values) for row in rows],
                row_ids=[row.id for row in rows],
                skip_invalid_rows=True,
                retry=self._retry,
                timeout=_ATTEMPT_SECONDS,
            )
        return [cast("Refusal", _refusal(each)) for each in refused]

    def close(self) -> None:
        self._client.close()


class BigQueryQueries:
    """`warehouse.ports.Queries`. Thread-safe."""

    def __init__(self, client: Client, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._client = client
        self._deadline = deadline

    @classmethod
    def connect(cls, *, project: str, emulator: str | None = None, deadline: float = DEADLINE_SECONDS) -> Self:
        return cls(bigquery_client(project=project, emulator=emulator), deadline=deadline)

    def rows(self, sql: str, parameters: Mapping[str, datetime | str]) -> list[dict[str, Any]]:
        given = [
            ScalarQueryParameter(name, "STRING" if isinstance(value, str) else "TIMESTAMP", value)
            for name, value in parameters.items()
        ]
        retry = DEFAULT_RETRY.with_timeout(self._deadline)
        with _reporting("query"), _reporting_wrong_sql():
            job = self._client.query(
                sql,
                job_config=QueryJobConfig(query_parameters=given),
                retry=retry,
                job_retry=None,  # or the client tries for forty minutes, whatever `retry` says
                timeout=_ATTEMPT_SECONDS,
            )
            return [dict(row.items()) for row in job.result(timeout=self._deadline, retry=retry)]

    def close(self) -> None:
        self._client.close()


def _refusal(refused: Mapping[str, Any]) -> _Refusal:
    errors = refused["errors"]
    reason = "; ".join(f"{error['reason']} {error.get('location', '')}: {error.get('message', '')}" for error in errors)
    permanent = any(error["reason"] in _PERMANENT for error in errors)
    return _Refusal(int(refused["index"]), reason, permanent)


@contextmanager
def _reporting_wrong_sql() -> Iterator[None]:
    try:
        yield
    except BadRequest as error:
        raise PermanentError(f"BigQuery: the query was refused: {error}") from error


@contextmanager
def _reporting(operation: str) -> Iterator[None]:
    """Every failure of the service, the network or the credentials as an error of ours."""
    try:
        yield
    except _FAILURES as error:
        raise TransientError(f"BigQuery: {operation} failed: {error}", operation=operation) from error
