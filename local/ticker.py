"""Cloud Scheduler's stand-in, a process of its own: POSTs to URLs, each at its own interval.

`python -m local.ticker --tick SECONDS URL BODY ...`. A call that takes longer than its interval delays the next one.
SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from cloud.logs import configure
from local.processes import Program

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Tick", "tick_forever", "ticker"]

_LOG: Final = logging.getLogger(__name__)
_CALL_SECONDS: Final = 60.0
_JSON: Final = {"Content-Type": "application/json"}


class Tick(NamedTuple):
    """`body` is JSON; empty for none."""

    seconds: float
    url: str
    body: str = ""


def ticker(ticks: Iterable[Tick]) -> Program:
    """The ticker as a supervised program."""
    arguments: list[str] = []
    for tick in ticks:
        arguments += ("--tick", str(tick.seconds), tick.url, tick.body)
    return Program(
        name="ticker",
        command=(sys.executable, "-m", "local.ticker", *arguments),
        cwd=Path(__file__).parent.parent,
    )


def tick_forever(tick: Tick, ended: threading.Event) -> None:
    """Call, then wait, until `ended` is set. A call that fails is logged; the next one comes all the same."""
    with httpx.Client(timeout=_CALL_SECONDS, trust_env=False) as client:
        while not ended.wait(tick.seconds):
            try:
                client.post(tick.url, content=tick.body, headers=_JSON).raise_for_status()
            except httpx.HTTPError as error:
                _LOG.warning("tick_failed", extra={"url": tick.url, "error": repr(error)})


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m local.ticker", description=__doc__)
    parser.add_argument("--tick", nargs=3, action="append", required=True, metavar=("SECONDS", "URL", "BODY"))
    options = parser.parse_args(arguments)
    configure("text")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    for seconds, url, body in options.tick:
        threading.Thread(target=tick_forever, args=(Tick(float(seconds), url, body), ended), daemon=True).start()
    ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
