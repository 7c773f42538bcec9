"""Results are one a recipe, in the order asked: one that is repeated is made and billed once, and told each time."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from events.envelope import decode
from events.messages import CostRecorded
from events.recipe import Recipe
from tests.unit.scene import BUCKETS

if TYPE_CHECKING:
    from tests.unit.functions.api import Api
    from tests.unit.scene import Job

SAME: Final = Recipe()
MASK: Final = Recipe(format="mask")
ASKED: Final = (SAME, SAME, MASK, SAME)
JSON: Final = [{}, {"effect": "none"}, {"format": "mask"}, {"format": "png"}]


def told(status: Any) -> list[Recipe]:
    return [msgspec.convert(result["recipe"], Recipe) for result in status["results"]]


def check(api: Api, job: Job, *, kind: str = "gpu") -> None:
    completed = api.scene.completed(job)
    assert tuple(result.recipe for result in completed.results) == ASKED
    costs = [cost for cost in api.scene.costs(job, kind=kind) if cost.recipe is not None]
    assert sorted(cost.recipe or "" for cost in costs) == sorted((SAME.digest(), MASK.digest()))
    assert sum((cost.usd for cost in costs), Decimal(0)) == completed.cost_usd


def test_the_upload_binds_the_recipes_as_they_were_asked_for(api: Api) -> None:
    reply = api.request_upload({"content_type": "image/png", "size": 9, "recipes": JSON})
    bound = reply.json["upload"]["headers"]["x-goog-meta-recipes"]
    assert tuple(msgspec.json.decode(bound, type=list[Recipe])) == ASKED


def test_a_new_photo_has_one_result_a_recipe(api: Api) -> None:
    job = api.scene.run(recipes=ASKED)
    check(api, job)
    assert len(api.scene.store.names(BUCKETS.results)) == 2
    assert told(api.status_of(job).json) == list(ASKED)


def test_a_photo_that_is_known_has_one_result_a_recipe(api: Api) -> None:
    api.scene.run(recipes=(SAME, MASK))
    check(api, api.scene.run(recipes=ASKED), kind="function")


def test_an_answer_without_an_upload_has_one_result_a_recipe(api: Api) -> None:
    known = api.scene.run(recipes=(SAME, MASK))
    asked = {"content_type": "image/png", "size": 9, "sha256": known.sha256, "recipes": JSON}
    reply = api.request_upload(asked)
    assert (reply.status, told(reply.json)) == (200, list(ASKED))
    costs = [decode(m.data, m.attributes, CostRecorded).data for m in api.scene.publisher.distinct("costs")]
    usd = [cost.usd for cost in costs if cost.job_id == reply.json["job_id"]]
    assert (len(usd), sum(usd, Decimal(0))) == (2, Decimal(reply.json["cost_usd"]))


def test_another_effect_of_a_photo_has_one_result_a_recipe(api: Api) -> None:
    source = api.scene.run(recipes=(SAME,))
    reply = api.restyle({"source_job_id": source.job_id, "recipes": JSON}, token=source.token)
    [message] = api.scene.messages("renders")
    assert message.data.recipes == ASKED
    api.scene.processor().process(message)
    status = api.job_status(reply.json["job_id"], token=reply.json["token"]).json
    assert told(status) == list(ASKED)
    assert [result["cache"] for result in status["results"]] == ["hit", "hit", "matte", "hit"]
