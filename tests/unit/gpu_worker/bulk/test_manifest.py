"""Everything that is wrong with a manifest is told at once, before anything is spent."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.environment import SettingsError
from events.ids import job_time
from events.names import JOB_ID_PATTERN
from events.recipe import Color, Recipe
from gpu_worker.bulk import manifest as limits
from gpu_worker.bulk.manifest import ManifestError, Photo, read_manifest, read_photos
from gpu_worker.bulk.share import Share, tenants_from_env
from tests.unit.examples import MODEL

GENERATION = 1_763_900_000_123_456


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def problems(data: bytes, tenant: str | None = "acme") -> tuple[str, ...]:
    with pytest.raises(ManifestError) as raised:
        read_manifest(data, model=MODEL, tenant=tenant)
    return raised.value.problems


def photo(name: str, *, tenant: str = "acme", line: int = 1) -> Photo:
    return Photo(line=line, bucket="catalogue", name=name, recipes=(Recipe(),), tenant=tenant)


def test_a_line_says_photo_recipes_tenant_and_the_catalogues_own_id() -> None:
    recipe = {"background": {"kind": "color", "color": "#ffffff"}, "format": "jpg"}
    data = lines({"source": "gs://catalogue/a b/1.jpg", "recipes": [recipe, {}], "tenant": "other", "id": "SKU 1"})
    [one] = read_manifest(data, model=MODEL, tenant="acme").photos
    assert one == Photo(
        line=1,
        bucket="catalogue",
        name="a b/1.jpg",
        recipes=(Recipe(background=Color(color="#ffffff"), format="jpg"), Recipe()),
        tenant="other",
        id="SKU 1",
    )
    assert one.source == "gs://catalogue/a b/1.jpg"


def test_a_line_may_leave_out_all_but_the_photo() -> None:
    [one] = read_manifest(lines({"source": "gs://catalogue/1.jpg"}), model=MODEL, tenant="acme").photos
    assert one == photo("1.jpg")


def test_empty_lines_count_but_say_nothing() -> None:
    data = b"\n" + lines({"source": "gs://catalogue/1.jpg"}) + b"  \r\n" + lines({"source": "gs://catalogue/2.jpg"})
    assert [one.line for one in read_manifest(data, model=MODEL, tenant="acme").photos] == [2, 4]


def test_every_wrong_field_of_every_line_is_named() -> None:
    data = lines(
        {"source": "gs://catalogue/1.jpg"},
        {"source": "http://catalogue/2.jpg", "recipes": [{"format": "gif"}, {"max_side": 3}], "colour": "red"},
        {"source": "gs://catalogue/3.jpg", "recipes": [{"format": "jpg"}], "tenant": "Acme"},
    )
    told = problems(data + b"not JSON\n")
    assert [re.split(": ", one)[0] for one in told] == [
        "line 2, source",
        "line 2, recipes[0].format",
        "line 2, recipes[1].max_side",
        "line 2, colour",
        "line 3, recipes[0].background",
        "line 3, tenant",
        "line 4",
    ]
    assert "`int` >= 16" in told[2]
    assert "give a background" in told[4]


def test_limits_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LINES", 2)
    monkeypatch.setattr(limits, "MAX_LINE_BYTES", 100)
    sources = [{"source": f"gs://catalogue/{number}.jpg"} for number in range(3)]
    assert problems(lines(*sources)) == ("3 lines, at most 2: make several manifests",)
    assert problems(lines(*sources).rstrip()) == ("3 lines, at most 2: make several manifests",)
    told = problems(lines(sources[0], {"source": f"gs://catalogue/{'x' * 100}"}))
    assert told == ("line 2: 129 bytes, at most 100",)
    assert "length <= 8" in problems(lines(sources[0] | {"recipes": [{}] * 9}))[0].replace("`array` of ", "")


def test_too_many_lines_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_lines", None)
    assert problems(b"{\n" * (limits.MAX_LINES + 1)) == ("200001 lines, at most 200000: make several manifests",)


def test_of_endless_problems_the_first_thousand_are_told() -> None:
    told = problems(b"{\n" * 1500)
    assert len(told) == 1001
    assert told[999].startswith("line 1000: ")
    assert told[1000] == "and maybe more"
    told = problems(b'{"source": 1, "id": 1}\n' * 1500)
    assert (told[999].partition(",")[0], told[1000:]) == ("line 500", ("and maybe more",))


def test_a_line_that_repeats_another_is_refused() -> None:
    """Its cost would be reported twice."""
    one, other = {"source": "gs://catalogue/1.jpg"}, {"source": "gs://catalogue/1.jpg", "recipes": [{"format": "mask"}]}
    assert problems(lines(one, other, one | {"recipes": [{}]})) == ("line 3: the same as line 1",)


def test_a_line_without_a_tenant_needs_one_for_all() -> None:
    data = lines({"source": "gs://catalogue/1.jpg"}, {"source": "gs://catalogue/2.jpg", "tenant": "acme"})
    assert problems(data, tenant=None) == ("line 1, tenant: required, since no --tenant was given",)


def test_a_tenant_that_there_is_not_is_told() -> None:
    data = lines({"source": "gs://catalogue/1.jpg", "tenant": "acme"}, {"source": "gs://catalogue/2.jpg"})
    assert len(read_photos(data, tenant="globex", tenants={"acme", "globex"})) == 2
    with pytest.raises(ManifestError) as raised:
        read_photos(data, tenant="acmee", tenants={"acme", "globex"})
    assert raised.value.problems == ("line 2, tenant: there is no tenant 'acmee'",)


def test_tenants_are_known_where_the_environment_names_them() -> None:
    assert tenants_from_env({"TENANT_NAMES": "acme,globex"}) == frozenset({"acme", "globex"})
    assert tenants_from_env({}) is None


def test_a_manifest_names_a_photo() -> None:
    assert problems(b"\n") == ("it names no photo",)


def test_a_job_has_the_same_id_in_every_attempt_and_another_in_another_manifest() -> None:
    data = lines({"source": "gs://catalogue/1.jpg"})
    manifest, again = read_manifest(data, model=MODEL, tenant="acme"), read_manifest(data, model=MODEL, tenant="acme")
    other = read_manifest(data + b"\n", model=MODEL, tenant="acme")
    [one] = manifest.photos
    job_id = manifest.job_id(one, GENERATION)
    assert re.fullmatch(JOB_ID_PATTERN, job_id)
    assert job_time(job_id).timestamp() == 1_763_900_000.123
    ids = {again.job_id(one, GENERATION), other.job_id(one, GENERATION), manifest.job_id(one, GENERATION + 1)}
    ids |= {manifest.job_id(photo("1.jpg", tenant="other"), GENERATION), manifest.job_id(photo("2.jpg"), GENERATION)}
    assert job_id in ids
    assert len(ids) == 5


def test_another_model_or_tenant_is_other_work() -> None:
    """What an earlier one has settled must not count: it stands under other names."""
    data = lines({"source": "gs://catalogue/1.jpg", "tenant": "acme"})
    works = [
        read_manifest(data, model=model, tenant=tenant) for model in (MODEL, "other-model") for tenant in ("a", "b")
    ]
    assert len({work.digest for work in works}) == 4
    assert len({work.job_id(work.photos[0], GENERATION) for work in works}) == 4


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_any_generation_gives_an_id(generation: int) -> None:
    manifest = read_manifest(lines({"source": "gs://catalogue/1.jpg"}), model=MODEL, tenant="acme")
    assert re.fullmatch(JOB_ID_PATTERN, manifest.job_id(manifest.photos[0], generation))


@given(st.lists(st.text(min_size=1, max_size=8), max_size=30), st.integers(min_value=1, max_value=7))
def test_every_photo_is_one_tasks_whatever_its_line(names: list[str], tasks: int) -> None:
    shares = [Share(task=task, tasks=tasks) for task in range(tasks)]
    for line, name in enumerate(names):
        [task] = [share.task for share in shares if share.has(photo(name, line=line))]
        assert shares[task].has(photo(name, line=line + 100))


def test_tasks_have_about_as_much_to_do() -> None:
    shares = [Share(task=task, tasks=4) for task in range(4)]
    counts = [sum(share.has(photo(f"{number}.jpg")) for number in range(4000)) for share in shares]
    assert all(900 < count < 1100 for count in counts)


def test_cloud_run_tells_which_task_this_is() -> None:
    environ = {"CLOUD_RUN_TASK_INDEX": "3", "CLOUD_RUN_TASK_COUNT": "4", "CLOUD_RUN_TASK_ATTEMPT": "1"}
    assert Share.from_env(environ) == Share(task=3, tasks=4, attempt=1)
    assert Share.from_env({}) == Share(task=0, tasks=1, attempt=0)
    with pytest.raises(SettingsError, match="CLOUD_RUN_TASK_INDEX is '4', must be a number from 0 to 3"):
        Share.from_env(environ | {"CLOUD_RUN_TASK_INDEX": "4"})
