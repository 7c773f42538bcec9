"""Circuit breakers: whatever failed several times in a row is left alone for a while, then asked once.

A circuit belongs to one target: a receiver, an API. Its state is that of this process: each instance learns for itself.
Written here since the libraries do not fit: pybreaker 1.4 holds a lock of the circuit for the whole of a call, so that
calls to one target queue up behind each other; circuitbreaker 2.1 is not made for threads, and lets everybody in at
once after the pause.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self

from cloud.environment import Environment
from events.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["PROBE_SECONDS", "BreakerPolicy", "Breakers", "Call", "Change", "Circuit", "CircuitOpenError", "State"]

_LOG: Final = logging.getLogger(__name__)
_SECOND: Final = timedelta(seconds=1)
PROBE_SECONDS: Final = 60.0
"""Longer than any call lasts."""

State = Literal["closed", "open", "half_open"]


class CircuitOpenError(TransientError):
    """The target failed too often of late; it was not asked. `retry_after_seconds` says when it may be."""

    def __init__(self, circuit: str, seconds: int) -> None:
        super().__init__(
            f"{circuit} failed too often and is left alone for {seconds} s",
            circuit=circuit,
            retry_after_seconds=seconds,
        )
        self.retry_after_seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """`failures` in a row, the first and the last no more than `window` seconds apart, open a circuit.

    After `pause` seconds one call may probe.
    """

    failures: int = 5
    window: float = 60.0
    pause: float = 30.0

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is wrong."""
        env, usual = Environment(environ), cls()
        window = env.seconds(
            "BREAKER_WINDOW_SECONDS", default=timedelta(seconds=usual.window), minimum=_SECOND, maximum=3600 * _SECOND
        )
        pause = env.seconds(
            "BREAKER_PAUSE_SECONDS",
            default=timedelta(seconds=usual.pause),
            minimum=_SECOND / 10,
            maximum=3600 * _SECOND,
        )
        policy = cls(
            failures=env.integer("BREAKER_FAILURES", default=usual.failures, minimum=1, maximum=1000),
            window=window.total_seconds(),
            pause=pause.total_seconds(),
        )
        env.check()
        return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What is known of a target: a value, and what each event makes of it. All times in seconds of one clock.

    `since` is when it took its state. The `epoch` rises with every change of state and every probe: the outcome of a
    call counts only in the epoch that it began in, so no late answer to an old call decides over a new state.
    """

    state: State = "closed"
    since: float = 0.0
    epoch: int = 0
    failures: int = 0
    recent: tuple[float, ...] = ()
    """When the last failures in a row came, as many as the policy counts."""

    def admits(self, now: float, policy: BreakerPolicy) -> bool:
        """Whether a call may begin. A probe that is not heard of for `PROBE_SECONDS` no longer holds up the next."""
        if self.state == "half_open":
            return now - self.since >= max(policy.pause, PROBE_SECONDS)
        return self.state == "closed" or now - self.since >= policy.pause

    def retry_after(self, now: float, policy: BreakerPolicy) -> float:
        """Seconds after which it is worth to ask again, where no call may begin now."""
        return self.since + policy.pause - now if self.state == "open" else policy.pause

    def begun(self, now: float) -> Circuit:
        """A call begins that is admitted: in a closed circuit one of many, else the probe."""
        if self.state == "closed":
            return self
        return replace(self, state="half_open", since=now, epoch=self.epoch + 1)

    def succeeded(self, epoch: int, now: float) -> Circuit:
        if epoch != self.epoch:
            return self
        if self.state == "closed":
            return replace(self, failures=0, recent=())
        return Circuit(since=now, epoch=self.epoch + 1)

    def failed(self, epoch: int, now: float, policy: BreakerPolicy) -> Circuit:
        if epoch != self.epoch:
            return self
        recent = (*self.recent, now)[-policy.failures :]
        counted = replace(self, failures=self.failures + 1, recent=recent)
        if self.state == "open":
            return counted
        tripped = len(recent) == policy.failures and recent[-1] - recent[0] <= policy.window
        if self.state == "half_open" or tripped:
            return replace(counted, state="open", since=now, epoch=self.epoch + 1)
        return counted

    def abandoned(self, epoch: int, now: float, policy: BreakerPolicy) -> Circuit:
        """A call ended without telling anything of its target. After a probe, the next call is one."""
        if epoch != self.epoch or self.state != "half_open":
            return self
        return replace(self, state="open", since=now - policy.pause, epoch=self.epoch + 1)


class Change(NamedTuple):
    """A circuit changed its state. `failures` counts those in a row."""

    circuit: str
    before: State
    state: State
    failures: int


class Call:
    """One call in a circuit. Whoever can tell a failure from an answer that raises nothing says so."""

    def __init__(self) -> None:
        self.failed = False

    def fail(self) -> None:
        self.failed = True


class Breakers:
    """The circuits of one process, by name. Thread-safe. A call waits for nothing, least of all for another call."""

    def __init__(self, policy: BreakerPolicy | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy or BreakerPolicy()
        self._clock = clock
        self._lock = threading.Lock()
        self._circuits: defaultdict[str, Circuit] = defaultdict(Circuit)
        self._listeners: tuple[Callable[[Change], object], ...] = (_log,)

    def listen(self, listener: Callable[[Change], object]) -> None:
        """Call it with every change from now on, in the thread that brought it about. Its errors are logged."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def states(self) -> Mapping[str, State]:
        """Of every circuit that was ever asked for, as of now."""
        with self._lock:
            return MappingProxyType({name: circuit.state for name, circuit in self._circuits.items()})

    @contextmanager
    def call(self, name: str, *, insist: bool = False) -> Iterator[Call]:
        """A call to that target: a `TransientError` from within, or `Call.fail`, is a failure.

        A `PermanentError` is an answer, too; whatever else is raised tells nothing of the target. With `insist` the
        call is made even if the circuit is open, and counts. Raises `CircuitOpenError` before anything is done.
        """
        epoch = self._begin(name, insist=insist)
        call = Call()
        try:
            yield call
        except TransientError:
            self._change(name, lambda circuit, now: circuit.failed(epoch, now, self._policy))
            raise
        except PermanentError:
            self._change(name, lambda circuit, now: circuit.succeeded(epoch, now))
            raise
        except BaseException:
            self._change(name, lambda circuit, now: circuit.abandoned(epoch, now, self._policy))
            raise
        if call.failed:
            self._change(name, lambda circuit, now: circuit.failed(epoch, now, self._policy))
        else:
            self._change(name, lambda circuit, now: circuit.succeeded(epoch, now))

    def _begin(self, name: str, *, insist: bool) -> int:
        """The epoch of the call. Raises `CircuitOpenError`."""

        def begun(circuit: Circuit, now: float) -> Circuit:
            if circuit.admits(now, self._policy):
                return circuit.begun(now)
            if insist:
                return circuit
            raise CircuitOpenError(name, math.ceil(circuit.retry_after(now, self._policy)))

        return self._change(name, begun).epoch

    def _change(self, name: str, change: Callable[[Circuit, float], Circuit]) -> Circuit:
        with self._lock:
            before = self._circuits[name]
            after = self._circuits[name] = change(before, self._clock())
            listeners = self._listeners
        if after.state != before.state:
            told = Change(name, before.state, after.state, max(before.failures, after.failures))
            for listener in listeners:
                _tell(listener, told)
        return after


def _tell(listener: Callable[[Change], object], change: Change) -> None:
    try:
        listener(change)
    except Exception:  # noqa: BLE001  # whoever watches never fails a call
        _LOG.exception("circuit_listener_failed", extra={"circuit": change.circuit})


def _log(change: Change) -> None:
    level = logging.INFO if change.state == "closed" else logging.WARNING
    _LOG.log(
        level,
        "circuit_changed",
        extra={
            "circuit": change.circuit,
            "before": change.before,
            "state": change.state,
            "failures": change.failures,
        },
    )
