"""`python -m local`: the whole system on this machine.

up       start everything and print where it is, until Ctrl-C
demo     real photos through the real system, then a contact sheet
asset    a background of the storefront's own
submit   photos to the system that `up` started, or to one of its own
status   what runs, and how it is
report   what it all cost: a page with charts, and tables
dead-letters  what failed at every attempt: list it, replay it
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console

from events.errors import CutoutError
from local import assets, dead_letters, report
from local.demo import run_demo
from local.emulator_files import EmulatorMissingError
from local.processes import ProcessError
from local.recipes import add_recipe_arguments, recipes_of
from local.stack import ROOT, Network, Stack, StackInfo
from local.status import show_status
from local.submit import Submission, submit

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE: Final = ROOT / ".local"
PHOTOS: Final = ROOT / "assets" / "photos"
_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".tiff", ".bmp", ".gif"}
_CHECK_SECONDS: Final = 0.5

console = Console()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command's exit status: 0, or 1 with a message that says what to do."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except (CutoutError, EmulatorMissingError, ProcessError, RuntimeError) as error:
        console.print(f"[red]{error}", soft_wrap=True, highlight=False)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    weights = argparse.ArgumentParser(add_help=False)
    weights.add_argument("--weights", type=Path, help="a folder, manifest or file of weights (default: weights/)")
    weights.add_argument(
        "--precision", choices=("f32", "bf16", "f16"), default="f32", help="of InSPyReNet (default: f32)"
    )
    weights.add_argument(
        "--backend", choices=("torch", "openvino"), default="torch", help="what computes (default: torch)"
    )

    up = commands.add_parser("up", parents=[weights], help="start everything, until Ctrl-C")
    up.add_argument("--state", type=Path, default=STATE, help="where objects, keys and logs are kept (default: .local)")
    up.set_defaults(run=_up)

    demo = commands.add_parser("demo", parents=[weights], help="real photos through the real system")
    demo.add_argument("photos", nargs="*", type=Path, help="default: those that the repository ships")
    demo.add_argument("--out", type=Path, default=Path("out"), help="folder for what comes out (default: out)")
    demo.set_defaults(run=_demo)

    send = commands.add_parser("submit", parents=[weights], help="photos to the running system, or to one of its own")
    send.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    add_recipe_arguments(send)
    send.add_argument("--out", type=Path, default=Path("out"), help="folder for the results (default: out)")
    send.add_argument("--state", type=Path, default=STATE, help="where `up` keeps its state (default: .local)")
    send.set_defaults(run=_submit)

    asset = commands.add_parser("asset", help="a background of the storefront's own, for --background asset:SHA256")
    assets.add_arguments(asset, state=STATE)
    asset.set_defaults(run=_asset)

    status = commands.add_parser("status", help="what runs, and how it is")
    status.add_argument("--state", type=Path, default=STATE, help="where `up` keeps its state (default: .local)")
    status.set_defaults(run=_status)

    costs = commands.add_parser("report", help="what it all cost: a page with charts, and tables")
    report.add_arguments(costs, state=STATE)
    costs.set_defaults(run=_report)

    letters = commands.add_parser("dead-letters", help="what failed at every attempt: list it, replay it")
    dead_letters.add_arguments(letters, state=STATE)
    letters.set_defaults(run=_dead_letters)
    return parser


def _network(options: argparse.Namespace) -> Network:
    return Network.from_weights(options.weights, options.precision, options.backend)


def _up(options: argparse.Namespace) -> int:
    network = _network(options)
    if running(options.state) is not None:
        raise RuntimeError(f"it runs already (python -m local status); its state is in {options.state}")
    with ExitStack() as exits:
        with console.status("starting emulators, functions and worker"):
            stack = exits.enter_context(Stack(options.state, network))
            stack.start_page()
        info = options.state / "stack.json"
        info.write_bytes(msgspec.json.encode(stack.info))
        try:
            _announce(stack, options.state)
            while True:
                stack.check()
                time.sleep(_CHECK_SECONDS)
        except (KeyboardInterrupt, SystemExit):
            console.print("\nstopping")
        finally:
            info.unlink(missing_ok=True)
    return 0


def _announce(stack: Stack, state: Path) -> None:
    console.print(f"network  {stack.network} ({stack.model}) on the {stack.device}", highlight=False)
    for name, value in (
        ("page", stack.page_url),
        ("API", stack.api_url),
        ("KEY", stack.api_key),
        ("worker", stack.worker_url),
        ("storage", stack.storage_url),
        ("pubsub", stack.pubsub),
        ("logs", state / "logs"),
    ):
        console.print(f"{name:8} {value}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C stops it all.")


def _demo(options: argparse.Namespace) -> int:
    photos = options.photos or sorted(path for path in PHOTOS.iterdir() if path.suffix.lower() in _SUFFIXES)
    network = _network(options)
    with tempfile.TemporaryDirectory(prefix="cutout-demo-") as state, ExitStack() as exits:
        with console.status("starting emulators, functions and worker"):
            stack = exits.enter_context(Stack(Path(state), network))
        return run_demo(stack, photos, options.out)


def _submit(options: argparse.Namespace) -> int:
    submission = Submission(photos=options.photos, recipes=recipes_of(options), out=options.out)
    info = running(options.state)
    if info is not None:
        return submit(submission, info.api_url, info.api_key)
    with ExitStack() as exits:
        with console.status("nothing runs yet: starting emulators, functions and worker"):
            stack = exits.enter_context(Stack(options.state, _network(options)))
        return submit(submission, stack.api_url, stack.api_key)


def _asset(options: argparse.Namespace) -> int:
    return assets.run(options, running(options.state))


def _status(options: argparse.Namespace) -> int:
    info = running(options.state)
    if info is None:
        console.print("nothing runs; `python -m local up` starts it")
        return 1
    return show_status(info)


def _report(options: argparse.Namespace) -> int:
    return report.run(options, running(options.state))


def _dead_letters(options: argparse.Namespace) -> int:
    return dead_letters.run(options, running(options.state))


def running(state: Path) -> StackInfo | None:
    """The stack that `up` started with this state, if it still runs."""
    try:
        info = msgspec.json.decode((state / "stack.json").read_bytes(), type=StackInfo)
        os.kill(info.pid, 0)
    except (FileNotFoundError, ProcessLookupError, msgspec.MsgspecError):
        return None
    return info


if __name__ == "__main__":
    sys.exit(main())
