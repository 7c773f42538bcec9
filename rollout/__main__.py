"""`python -m rollout`: a new image of the worker, from no traffic to all of it, or back.

deploy    roll an image out, or go on with what was begun before: after a kill, run the same again
promote   end the rollout under way now: the new revision gets all traffic
rollback  end the rollout under way now: the new revision gets none
status    what serves, and which rollout is under way
smoke     a real photo through the public API of an environment

Exit status: 0 promoted, or done; 1 an error, after which the same command goes on, unless a canary was watched, which
is then taken back; 2 wrong arguments; 3 rolled back; 4 refused, since another rollout is under way or the service is
not in a state for one.
"""

from __future__ import annotations

import argparse
import getpass
import os
import re
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloud.storage import GoogleObjectStore
from events.errors import CutoutError
from jobs.desk import utc_now
from rollout import public_api
from rollout.conductor import Conductor
from rollout.decision import Criteria
from rollout.lanes import GooglePushLanes
from rollout.measurements import GoogleMeasurements
from rollout.plan import Finished, Order, Refuse
from rollout.preview import preview
from rollout.record import ended, under_way
from rollout.run_admin import GoogleRunAdmin
from rollout.smoke import PushedJobs, SmokeOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout.service import Service

__all__ = ["main"]

PHOTO: Final = Path(__file__).parents[1] / "assets" / "photos" / "cat.jpg"
_BY_DIGEST: Final = re.compile(r"\S+@sha256:[0-9a-f]{64}")
_ROLLED_BACK: Final = 3
_REFUSED: Final = 4


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except (CutoutError, OSError) as error:
        _say(f"error: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rollout", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    service = argparse.ArgumentParser(add_help=False)
    service.add_argument("--project", required=True)
    service.add_argument("--region", required=True, help="that of the worker which gets the jobs")
    service.add_argument("--service", default="gpu-worker", help="(default: %(default)s)")
    changing = argparse.ArgumentParser(add_help=False)
    changing.add_argument("--holder", default=_person(), help="who does it; in a build its commit (default: you)")
    changing.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")

    deploy = commands.add_parser("deploy", parents=[service, changing], help="roll an image out, or go on")
    _add_deploy(deploy)
    deploy.set_defaults(run=_deploy)
    for name, outcome, text in (
        ("promote", "promoted", "end the rollout under way: all traffic to the new revision"),
        ("rollback", "rolled_back", "end the rollout under way: no traffic to the new revision"),
    ):
        ending = commands.add_parser(name, parents=[service, changing], help=text)
        ending.set_defaults(run=_end, outcome=outcome)
    status = commands.add_parser("status", parents=[service], help="what serves, and which rollout is under way")
    status.set_defaults(run=_status)

    smoke = commands.add_parser("smoke", help="a real photo through the public API")
    smoke.add_argument("--api-url", required=True)
    smoke.add_argument(
        "--key-variable", default="SMOKE_KEY", metavar="NAME", help="variable with the storefront's key (%(default)s)"
    )
    smoke.add_argument("--photo", type=Path, default=PHOTO, help="a JPEG (default: assets/photos/cat.jpg)")
    smoke.add_argument(
        "--patience", type=_minutes, default=timedelta(minutes=5), metavar="MINUTES", help="(default: 5)"
    )
    smoke.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")
    smoke.set_defaults(run=_smoke)
    return parser


def _add_deploy(deploy: argparse.ArgumentParser) -> None:
    good = Criteria()
    order = Order(image="", holder="")
    deploy.add_argument("--image", type=_image, required=True, help="by digest: IMAGE@sha256:...")
    deploy.add_argument("--standby", metavar="REGION", help="a second region, straight after the first one")
    deploy.add_argument("--straight", action="store_true", help="promote after the smoke test, without a canary")
    deploy.add_argument("--again", action="store_true", help="even if you rolled this image out, or back, before")
    deploy.add_argument(
        "--quota", type=_positive, default=order.quota, help="GPUs in the region (default: %(default)s)"
    )
    watching = deploy.add_argument_group("canary")
    watching.add_argument(
        "--percent", type=int, choices=range(1, 100), default=order.percent, metavar="1..99", help="(%(default)s)"
    )
    for name, default, text in (
        ("--interval", good.interval, "least (15)"),
        ("--deadline", good.deadline, "most (45)"),
    ):
        watching.add_argument(name, type=_minutes, default=default, metavar="MINUTES", help=f"is watched at {text}")
    watching.add_argument(
        "--minimum", type=_positive, default=good.minimum, help="requests that prove something (default: %(default)s)"
    )
    watching.add_argument(
        "--when-quiet",
        choices=("promote", "rollback"),
        default="rollback",
        help="at the deadline, with fewer requests and --jobs than --minimum, none of them bad (default: %(default)s)",
    )
    testing = deploy.add_argument_group("smoke test")
    testing.add_argument(
        "--jobs",
        type=_positive,
        default=20,
        help="pushed to the tag's URL; on a quiet night they are enough (default: %(default)s)",
    )
    testing.add_argument("--tenant", default="smoke", help="whose jobs these are (default: %(default)s)")
    testing.add_argument("--photo", type=Path, default=PHOTO, help="a JPEG (default: assets/photos/cat.jpg)")
    testing.add_argument("--model", default="", help="the model id of the functions: the worker must say the same")


def _deploy(options: argparse.Namespace) -> int:
    order = Order(
        image=options.image,
        holder=options.holder,
        straight=options.straight,
        percent=options.percent,
        quota=options.quota,
        again=options.again,
    )
    status = _deploy_to(options.region, order, options)
    if status == 0 and options.standby:
        # No jobs arrive there, so there is nothing to watch: what has proved itself elsewhere needs to start, no more.
        standby = Order(image=order.image, holder=order.holder, straight=True, quota=order.quota, again=order.again)
        return _deploy_to(options.standby, standby, options)
    return status


def _deploy_to(region: str, order: Order, options: argparse.Namespace) -> int:
    _say(f"{options.service} in {region}: {order.image}")
    if options.dry_run:
        for line in preview(_read(options, region), order, utc_now()):
            _say(line)
        return 0
    return _status_of(_conductor(options, region).carry_out(options.service, order))


def _end(options: argparse.Namespace) -> int:
    if options.dry_run:
        record = under_way(_read(options, options.region).annotations)
        _say(
            f"would end as {options.outcome}: {record.image}, of {record.holder}" if record else "nothing is under way"
        )
        return 0
    return _status_of(
        _conductor(options, options.region).end(options.service, options.outcome, options.holder),
        wanted=options.outcome,
    )


def _status(options: argparse.Namespace) -> int:
    service = _read(options, options.region)
    for target in service.traffic:
        revision = service.revision(target.revision)
        tag = f"  tag {target.tag} {target.url}" if target.tag else ""
        _say(f"{target.percent:>3}%  {target.revision}  {revision.image if revision else 'image unknown'}{tag}")
    _say(f"at most {service.limit or 'any number of'} instances, {service.limit_of_revision} of a revision")
    if record := under_way(service.annotations):
        since = record.watching_since or record.tagged_at or record.began_at
        stage = "watched" if record.watching_since else "tested" if record.tagged_at else "started"
        _say(f"under way: {record.image}, of {record.holder}, {stage} since {since:%H:%M}, seen {record.seen_at:%H:%M}")
    if last := ended(service.annotations):
        _say(f"last: {last.outcome} {last.revision} at {last.at:%Y-%m-%d %H:%M} UTC, of {last.holder}: {last.reason}")
    return 0


def _smoke(options: argparse.Namespace) -> int:
    photo = options.photo.read_bytes()
    if options.dry_run:
        _say(f"would send {options.photo.name} to {options.api_url}")
        return 0
    key = os.environ.get(options.key_variable, "")
    if not key:
        _say(f"error: {options.key_variable} is not set")
        return 1
    _say(public_api.smoke(options.api_url, key, photo, patience=options.patience, say=_say))
    return 0


def _conductor(options: argparse.Namespace, region: str) -> Conductor:
    smoke = PushedJobs(
        GoogleObjectStore.connect(),
        GooglePushLanes.connect(project=options.project),
        _smoke_options(options),
        region=region,
        clock=utc_now,
        sleep=_sleep,
    )
    return Conductor(
        GoogleRunAdmin.connect(project=options.project, region=region),
        smoke,
        GoogleMeasurements.connect(project=options.project, region=region),
        criteria=_criteria(options),
        clock=utc_now,
        sleep=_sleep,
        say=_say,
    )


def _smoke_options(options: argparse.Namespace) -> SmokeOptions:
    """Ending a rollout by hand tests nothing."""
    if options.command != "deploy":
        return SmokeOptions(photo=b"")
    return SmokeOptions(photo=options.photo.read_bytes(), tenant=options.tenant, jobs=options.jobs, model=options.model)


def _criteria(options: argparse.Namespace) -> Criteria:
    if options.command != "deploy":
        return Criteria()
    return Criteria(
        interval=options.interval,
        deadline=max(options.deadline, options.interval),
        minimum=options.minimum,
        when_quiet="promote" if options.when_quiet == "promote" else "roll_back",
    )


def _read(options: argparse.Namespace, region: str) -> Service:
    return GoogleRunAdmin.connect(project=options.project, region=region).read(options.service)


def _status_of(end: Finished | Refuse, *, wanted: str = "promoted") -> int:
    if isinstance(end, Refuse):
        _say(f"refused: {end.reason}")
        return _REFUSED
    _say(f"{end.outcome}: {end.reason}")
    return 0 if end.outcome == wanted else _ROLLED_BACK


def _image(text: str) -> str:
    if _BY_DIGEST.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not IMAGE@sha256:...: a tag may be another image tomorrow")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _minutes(text: str) -> timedelta:
    return timedelta(minutes=float(text))


def _person() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _sleep(span: timedelta) -> None:
    time.sleep(span.total_seconds())


def _say(line: str) -> None:
    sys.stdout.write(f"{utc_now():%H:%M:%S} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
