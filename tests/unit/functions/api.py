"""The public functions over a `Scene`, called as a storefront's page calls them."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import flask
import msgspec
from werkzeug.test import EnvironBuilder

from cloud.windows import MemoryWindows
from functions.admission import Admission
from functions.delete_job import DeleteJob
from functions.expectation import Expectation
from functions.job_status import JobStatus
from functions.rate_limits import Quotas, RateLimits
from functions.render import Render, StoredMattes
from functions.request_upload import RequestUpload
from functions.restyle import Restyle
from functions.tenants import Tenant, Tenants
from functions.web import endpoint
from jobs.activity import Activity
from jobs.costs import Billing
from jobs.desk import JobDesk
from jobs.processing import Processor
from jobs.speculation import CostsOnly, Speculation
from jobs.spend import DailySpend
from tests.unit.examples import MODEL, TENANT
from tests.unit.scene import BUCKETS, SECRET, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jobs.ports import UrlSigner
    from tests.unit.scene import Job

__all__ = ["KEY", "OLD_KEY", "ORIGIN", "OTHER_KEY", "OTHER_ORIGIN", "PUBLIC_URL", "UNLIMITED", "Api", "Reply"]

KEY: Final = "storefront-key"
OLD_KEY: Final = "storefront-key-of-last-month"
OTHER_KEY: Final = "another-storefront-key"
ORIGIN: Final = "https://shop.test"
OTHER_ORIGIN: Final = "https://another.test"
PUBLIC_URL: Final = "https://api.test"
UNLIMITED: Final = RateLimits("request_upload", Quotas(), MemoryWindows())


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Reply:
    """An answer, with its JSON read."""

    def __init__(self, response: flask.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.json: Any = msgspec.json.decode(response.get_data()) if response.get_data() else None

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class Api:
    """`limits` are those of whichever function is called."""

    def __init__(self, limits: RateLimits = UNLIMITED) -> None:
        self.scene = Scene()
        scene = self.scene
        self.tenants = Tenants(
            (
                Tenant(
                    name=TENANT,
                    key_sha256=(_sha256(KEY), _sha256(OLD_KEY)),
                    origins=(ORIGIN,),
                    daily_cap_usd=Decimal(1),
                ),
                Tenant(
                    name="globex", key_sha256=(_sha256(OTHER_KEY),), origins=(OTHER_ORIGIN,), daily_cap_usd=Decimal(1)
                ),
            )
        )
        spend = DailySpend(scene.store, BUCKETS.jobs, scene.clock)
        self.limits = limits
        self.admission = Admission(self.tenants, spend, scene.clock, limits)
        self.activity = Activity(scene.store, BUCKETS.jobs, scene.clock)
        self.signer: UrlSigner = scene.signer

    def request_upload(self, json: object, *, key: str | None = KEY, **request: Any) -> Reply:
        scene = self.scene
        handle = RequestUpload(
            scene.desk, self.admission, scene.dispatch, self.signer, public_url=PUBLIC_URL, meter=scene.meter
        )
        return self._call(handle, ("POST",), "POST", "/uploads", key=key, json=json, **request)

    def restyle(self, json: object, *, key: str | None = KEY, **request: Any) -> Reply:
        scene = self.scene
        handle = Restyle(
            scene.desk, self.admission, self.tenants, scene.dispatch, public_url=PUBLIC_URL, meter=scene.meter
        )
        return self._call(handle, ("POST",), "POST", "/jobs", key=key, json=json, **request)

    def job_status(self, job_id: str, **request: Any) -> Reply:
        scene = self.scene
        handle = JobStatus(
            scene.desk,
            self.tenants,
            self.signer,
            self.activity,
            self.limits,
            expected=Expectation(cold_start=20, network=2, render=1),
            sleep=scene.clock.sleep,
        )
        return self._call(handle, ("GET",), "GET", f"/jobs/{job_id}", **request)

    def status_of(self, job: Job, **request: Any) -> Reply:
        return self.job_status(job.job_id, token=job.token, **request)

    def delete_job(self, job_id: str, **request: Any) -> Reply:
        handle = DeleteJob(self.scene.desk, self.tenants, self.limits)
        return self._call(handle, ("DELETE",), "DELETE", f"/jobs/{job_id}", **request)

    def render(self) -> Render:
        billing = Billing(kind="cpu", plan="function", region="europe-west4", vcpus=1, gib=1)
        scene, mattes = self.scene, StoredMattes(MODEL)
        publisher = CostsOnly(scene.publisher)
        quiet = JobDesk.over(scene.store, publisher, BUCKETS, secret=SECRET, clock=scene.clock)
        return Render(
            scene.desk,
            Processor(scene.desk, mattes, billing=billing, source="render"),
            Speculation(quiet, Processor(quiet, mattes, billing=billing, source="render")),
        )

    def _call(
        self,
        handle: Callable[[flask.Request], flask.Response],
        methods: tuple[str, ...],
        default_method: str,
        path: str,
        *,
        method: str | None = None,
        key: str | None = None,
        token: str | None = None,
        origin: str | None = None,
        json: object = None,
        data: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        peer: str = "198.51.100.1",
    ) -> Reply:
        credentials = {"X-Api-Key": key, "Authorization": token and f"Bearer {token}", "Origin": origin}
        given = {name: value for name, value in credentials.items() if value is not None} | dict(headers or {})
        body = msgspec.json.encode(json) if data is None and json is not None else data
        environ = EnvironBuilder(
            path=path,
            method=method or default_method,
            headers=list(given.items()),
            data=body,
            query_string=query,
            environ_base={"REMOTE_ADDR": peer},
        ).get_environ()
        function = endpoint(handle, methods=methods, tenants=self.tenants, limits=self.limits)
        return Reply(function(flask.Request(environ)))
