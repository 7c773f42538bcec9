"""Limits as the public functions keep them, and as their callers learn of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from cloud.environment import SettingsError
from cloud.windows import MemoryWindows, Quota
from events.errors import TransientError
from functions.rate_limit_settings import DEFAULT_LIMITS, RateLimitSettings
from functions.rate_limits import Quotas, RateLimits
from tests.unit.functions.api import KEY, OLD_KEY, ORIGIN, OTHER_KEY, Api

if TYPE_CHECKING:
    from cloud.windows import Taken

WANTED: Final = {"content_type": "image/png", "size": 1}
SHOPPER: Final = "203.0.113.7"
ANOTHER: Final = "203.0.113.8"


class Down:
    """`cloud.windows.Windows` that nobody can ask."""

    def take(self, key: str, quota: Quota) -> Taken:
        raise TransientError("no answer")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limited(clock: Clock, *, address: int | None = None, tenant: int | None = None, proxies: int = 0) -> Api:
    """So many requests a minute."""
    quotas = Quotas(*(None if most is None else Quota(most, 60) for most in (address, tenant)))
    return Api(RateLimits("request_upload", quotas, MemoryWindows(clock=clock), proxies=proxies))


def statuses(api: Api, times: int, **request: Any) -> list[int]:
    return [api.request_upload(WANTED, **request).status for _ in range(times)]


class TestAnAddress:
    def test_that_asks_too_often_is_told_when_to_come_back(self, clock: Clock) -> None:
        api = limited(clock, address=2)
        assert statuses(api, 2, peer=SHOPPER) == [201, 201]
        clock.now += 12.5
        reply = api.request_upload(WANTED, peer=SHOPPER)
        assert (reply.status, reply.code) == (429, "rate_limited")
        assert reply.headers["Retry-After"] == "48"
        assert reply.json["error"] == {
            "code": "rate_limited",
            "message": "more than 2 requests in 60 s from one address; try again in 48 s",
            "retryable": True,
            "limit": {"policy": "address", "requests": 2, "seconds": 60},
        }
        clock.now += 47.5
        assert api.request_upload(WANTED, peer=SHOPPER).status == 201

    def test_does_not_count_for_another(self, clock: Clock) -> None:
        api = limited(clock, address=1)
        assert statuses(api, 2, peer=SHOPPER) == [201, 429]
        assert statuses(api, 1, peer=ANOTHER) == [201]

    def test_is_that_of_the_client_and_not_of_a_proxy(self, clock: Clock) -> None:
        api = limited(clock, address=1, proxies=1)
        assert statuses(api, 1, headers={"X-Forwarded-For": f"{SHOPPER}, 34.120.0.1"}) == [201]
        assert statuses(api, 1, headers={"X-Forwarded-For": f"{ANOTHER}, 34.120.0.1"}) == [201]
        assert statuses(api, 1, headers={"X-Forwarded-For": f"8.8.8.8, {SHOPPER}, 34.120.0.1"}) == [429]

    def test_is_counted_before_keys_are_looked_at(self, clock: Clock) -> None:
        """So that nobody can try out keys."""
        api = limited(clock, address=2)
        assert statuses(api, 3, key="a guess") == [401, 401, 429]

    def test_is_refused_before_anything_is_read(self, clock: Clock) -> None:
        api = limited(clock, address=1)
        statuses(api, 1)
        before = len(api.scene.faults.operations)
        assert statuses(api, 1) == [429]
        assert len(api.scene.faults.operations) == before


class TestATenant:
    def test_is_limited_from_wherever_it_is_called(self, clock: Clock) -> None:
        api = limited(clock, tenant=2)
        assert statuses(api, 1, peer=SHOPPER) == [201]
        assert statuses(api, 1, peer=ANOTHER, key=OLD_KEY) == [201]
        reply = api.request_upload(WANTED, peer="203.0.113.9")
        assert (reply.status, reply.code) == (429, "rate_limited")
        assert reply.json["error"]["limit"] == {"policy": "tenant", "requests": 2, "seconds": 60}
        assert statuses(api, 1, key=OTHER_KEY) == [201]

    def test_is_not_charged_for_strangers(self, clock: Clock) -> None:
        api = limited(clock, tenant=1)
        assert statuses(api, 3, key="a guess") == [401, 401, 401]
        assert statuses(api, 3, origin="https://evil.test") == [403, 403, 403]
        assert statuses(api, 1) == [201]

    def test_is_not_charged_for_an_address_that_asks_too_often(self, clock: Clock) -> None:
        api = limited(clock, address=2, tenant=3)
        assert statuses(api, 10, peer=SHOPPER) == [201, 201] + 8 * [429]
        assert statuses(api, 1, peer=ANOTHER) == [201]

    def test_is_limited_in_asking_for_its_jobs_too(self, clock: Clock) -> None:
        api = limited(clock, tenant=2)
        job, other = api.scene.upload(), api.scene.upload()
        assert api.job_status(job.job_id, token=other.token).status == 403
        assert [api.status_of(job).status for _ in range(3)] == [200, 200, 429]

    def test_is_limited_in_deleting_them(self, clock: Clock) -> None:
        api = limited(clock, tenant=1)
        job = api.scene.upload()
        assert [api.delete_job(job.job_id, token=job.token).status for _ in range(2)] == [204, 429]


class TestAnswers:
    def test_tell_of_the_limits_and_of_what_is_left_for_the_address(self, clock: Clock) -> None:
        api = limited(clock, address=5, tenant=9)
        api.request_upload(WANTED)
        clock.now += 10.2
        reply = api.request_upload(WANTED)
        assert reply.headers["RateLimit-Policy"] == '"address";q=5;w=60, "tenant";q=9;w=60'
        assert reply.headers["RateLimit"] == '"address";r=3;t=50'
        assert "Retry-After" not in reply.headers

    def test_tell_what_is_left_for_a_tenant_only_when_that_is_nothing(self, clock: Clock) -> None:
        api = limited(clock, address=5, tenant=1)
        assert '"tenant"' not in api.request_upload(WANTED).headers["RateLimit"]
        clock.now += 1
        reply = api.request_upload(WANTED)
        assert reply.headers["RateLimit"] == '"address";r=3;t=59, "tenant";r=0;t=59'
        assert reply.headers["Retry-After"] == "59"

    def test_of_refusal_tell_too(self, clock: Clock) -> None:
        api = limited(clock, address=5)
        assert api.request_upload({}).headers["RateLimit"] == '"address";r=4;t=60'
        assert api.request_upload(WANTED, key=None).headers["RateLimit"] == '"address";r=3;t=60'

    def test_are_readable_for_the_storefronts_page(self, clock: Clock) -> None:
        api = limited(clock, address=1)
        replies = [api.request_upload(WANTED, origin=ORIGIN) for _ in range(2)]
        assert [reply.status for reply in replies] == [201, 429]
        for reply in replies:
            assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
            exposed = set(reply.headers["Access-Control-Expose-Headers"].split(", "))
            assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= exposed

    def test_say_nothing_where_nothing_is_limited(self, clock: Clock) -> None:
        reply = limited(clock).request_upload(WANTED)
        assert not [name for name, _ in reply.headers if name.startswith("RateLimit")]

    def test_to_preflights_are_neither_limited_nor_counted(self, clock: Clock) -> None:
        api = limited(clock, address=1)
        preflights = [api.request_upload(None, method="OPTIONS", key=None, origin=ORIGIN) for _ in range(5)]
        assert {reply.status for reply in preflights} == {204}
        assert statuses(api, 2, origin=ORIGIN) == [201, 429]
        assert api.request_upload(None, method="OPTIONS", key=None, origin=ORIGIN).status == 204


class TestAStorageThatIsDown:
    def test_fails_no_request_and_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        api = Api(RateLimits("request_upload", Quotas(Quota(1, 60), Quota(1, 60)), Down()))
        replies = [api.request_upload(WANTED) for _ in range(3)]
        assert [reply.status for reply in replies] == [201, 201, 201]
        assert replies[0].headers["RateLimit-Policy"] == '"address";q=1;w=60, "tenant";q=1;w=60'
        assert "RateLimit" not in replies[0].headers
        lines = [vars(record) for record in caplog.records if record.message == "rate_limits_unavailable"]
        assert [line["policy"] for line in lines] == ["address", "tenant"] * 3


def test_a_log_line_tells_of_a_limit_that_was_reached_but_not_who_did(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    statuses(limited(clock, address=1), 2, peer=SHOPPER)
    [line] = [vars(record) for record in caplog.records if record.message == "rate_limited"]
    assert (line["function"], line["policy"]) == ("request_upload", "address")
    assert SHOPPER not in str([vars(record) for record in caplog.records])
    assert KEY not in str([vars(record) for record in caplog.records])


class TestSettings:
    def test_have_defaults_under_which_a_shopper_can_poll(self) -> None:
        settings = RateLimitSettings.from_env({})
        assert (settings.storage, settings.proxies) == ("memory://", 0)
        assert settings.quotas == DEFAULT_LIMITS
        polls = settings.quotas["job_status"].address
        assert polls is not None
        assert polls.requests / polls.seconds >= 10

    def test_change_some_limits_and_leave_the_others(self) -> None:
        limits = {"request_upload": {"address": "10/second", "tenant": "off"}, "intents": {"tenant": "5 per minute"}}
        quotas = RateLimitSettings.from_env({"RATE_LIMITS": msgspec.json.encode(limits).decode()}).quotas
        assert quotas["request_upload"] == Quotas(Quota(10, 1), None)
        assert quotas["intents"] == Quotas(DEFAULT_LIMITS["intents"].address, Quota(5, 60))
        assert quotas["restyle"] == DEFAULT_LIMITS["restyle"]

    @pytest.mark.parametrize(
        ("variable", "value", "problem"),
        [
            ("RATE_LIMITS", '{"restyle":{"address":"lots"}}', "'lots' is no limit like 60/minute"),
            ("RATE_LIMITS", '{"restyle":{"address":"lots"}}', r"\$\.restyle"),
            ("RATE_LIMITS", '{"upload":{}}', "upload"),
            ("RATE_LIMITS", '{"restyle":{"ip":"1/second"}}', "ip"),
            ("RATE_LIMITS", "60/minute", "JSON"),
            ("TRUSTED_PROXIES", "-1", "from 0 to 10"),
            ("RATE_LIMIT_STORAGE", "memcached://:secret@host", "memory://, redis://"),
        ],
    )
    def test_that_are_wrong_are_named(self, variable: str, value: str, problem: str) -> None:
        with pytest.raises(SettingsError, match=problem) as caught:
            RateLimitSettings.from_env({variable: value})
        assert list(caught.value.variables) == [variable]
        assert "secret" not in str(caught.value)

    def test_never_show_the_storages_password(self) -> None:
        settings = RateLimitSettings.from_env({"RATE_LIMIT_STORAGE": "rediss://:secret@10.0.0.3:6378/0"})
        assert settings.storage.startswith("rediss://:secret@")
        assert "secret" not in repr(settings)
