from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from events.ids import job_time
from events.messages import CompletedNotice, FailedNotice
from tests.unit.examples import EXAMPLES
from tests.unit.scene import RECIPES
from tests.unit.webhooks.world import World

if TYPE_CHECKING:
    from events.messages import ResultLink
    from tests.unit.scene import Job


@pytest.fixture
def world() -> World:
    return World()


def notice_of(world: World, job: Job) -> CompletedNotice:
    notice = world.links.notice(world.scene.completed(job))
    assert isinstance(notice, CompletedNotice)
    return notice


def links_of(world: World, job: Job) -> list[ResultLink]:
    links = notice_of(world, job).links
    return [link for link in links if link is not None]


def test_every_result_has_a_signed_link_with_its_end(world: World) -> None:
    job = world.scene.run()
    links = links_of(world, job)
    results = world.scene.completed(job).results
    assert [(signed.bucket, signed.name) for signed in world.scene.signer.signed] == [
        (result.object.bucket, result.object.name) for result in results
    ]
    assert [signed.filename for signed in world.scene.signer.signed] == ["cutout-1.png", "cutout-2.jpg"]
    assert [link.expires_at for link in links] == [world.scene.clock() + world.lives.link] * 2
    assert all(f"expires={int(world.lives.link.total_seconds())}" in link.url for link in links)


def test_a_link_never_outlives_its_object(world: World) -> None:
    job = world.scene.run()
    world.scene.clock.advance((world.lives.result - timedelta(hours=3)).total_seconds())
    for link in links_of(world, job):
        assert link.expires_at <= job_time(job.job_id) + world.lives.result
        assert link.expires_at > world.scene.clock() + timedelta(hours=2)


def test_the_age_of_a_cached_object_is_that_of_the_job_that_made_it(world: World) -> None:
    first = world.scene.run()
    world.scene.clock.advance((world.lives.result - timedelta(hours=3)).total_seconds())
    hit = world.scene.run()
    assert world.scene.completed(hit).results[0].cache == "hit"
    for link in links_of(world, hit):
        assert link.expires_at <= job_time(first.job_id) + world.lives.result


def test_an_object_that_is_gone_or_about_to_go_has_no_link(world: World) -> None:
    job = world.scene.run()
    stored = world.scene.completed(job).results[0].object
    world.scene.store.delete(stored.bucket, stored.name)
    assert [link is None for link in notice_of(world, job).links] == [True, False]
    world.scene.clock.advance(world.lives.result.total_seconds())
    assert notice_of(world, job).links == (None, None)


def test_a_failure_needs_no_links(world: World) -> None:
    failed = EXAMPLES[2]
    notice = world.links.notice(failed)  # type: ignore[arg-type]  # the third example is a ResultFailed
    assert isinstance(notice, FailedNotice)
    assert world.links.lasting(notice) is notice


def test_links_are_renewed_once_half_of_their_time_is_over(world: World) -> None:
    notice = notice_of(world, world.scene.run(recipes=RECIPES[:1]))
    world.scene.clock.advance((world.lives.link / 2).total_seconds())
    assert world.links.lasting(notice) is notice
    world.scene.clock.advance(1)
    renewed = world.links.lasting(notice)
    assert isinstance(renewed, CompletedNotice)
    assert renewed.result == notice.result
    assert renewed.links[0] is not None
    assert renewed.links[0].expires_at == world.scene.clock() + world.lives.link


def test_a_notice_takes_one_link_for_each_result(world: World) -> None:
    notice = notice_of(world, world.scene.run())
    with pytest.raises(ValueError, match="as many links"):
        msgspec.structs.replace(notice, links=notice.links[:1])
