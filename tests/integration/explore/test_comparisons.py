"""Pages that compare two versions of a model, and the registry at two times."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from etl.changes import sentence
from etl.explore.comparisons import compare_moments, compare_versions
from etl.models import SyncRun
from etl.store import open_readonly
from tests.integration.explore.conftest import Pages, assert_harmless, text
from tests.support.marked_up_registry import MARKUP
from tests.support.record_builders import a_metric
from tests.support.sync_env import SyncEnv


def test_two_versions_differ_in_metrics_and_other_fields_on_each_database(env: SyncEnv) -> None:
    registry = env.registry
    model = registry.add_model("1", "scorer")
    versions = [registry.add_version(model) for _ in range(2)]
    usual = registry.get("model-versions", versions[0])
    for place, version in enumerate(versions):
        auc = [a_metric(key="auc", value=value, step=step) for step, value in enumerate((9.0, (0.5, 0.75)[place]))]
        others = [a_metric(key="loss", value=0.5 - place / 4), a_metric(key="same", value=1.0)]
        only = [a_metric(key="only", value=2.0)] if place else []
        packages = {"python_version": "3.12", "pip_packages": [f"torch==2.{place}", "numpy"]}
        manifest = usual["manifest"] | {"description": f"d{place}", "environment": packages, "version": place + 1}
        kept = {name: usual[name] for name in ("created_by_subject", "usage_code_snippet")}
        given = {"metrics": [*auc, *others, *only], "manifest": manifest, "deployable": bool(place)}
        registry.set_fields(version, kept | given)
        registry.set_tags(version, [("a", "b")[place], "kept"])
    env.sync()
    with open_readonly(env.url) as connection, connection.begin():
        found = compare_versions(connection, model=model, old=1, new=2)
        assert compare_versions(connection, model="scorer", old=1, new=2) == found
        back = compare_versions(connection, model=model, old=2, new=1)
        same = compare_versions(connection, model=model, old=2, new=2)

    assert (found.model_id, found.model, found.ids, found.numbers) == (model, "scorer", tuple(versions), (1, 2))
    assert [(each.key, each.values, each.change, each.is_improvement) for each in found.metrics] == [
        ("auc", [0.5, 0.75], 0.5, True),
        ("loss", [0.5, 0.25], -0.5, True),
    ]
    assert set(found.others) == {
        ("description", "d0", "d1"),
        ("deployable", "no", "yes"),
        ("tag", "a", None),
        ("tag", None, "b"),
        ("metric only", None, "2"),
        ("package torch", "torch==2.0", "torch==2.1"),
    }
    assert {(name, new, old) for name, old, new in found.others} == set(back.others)
    assert [each.is_improvement for each in back.metrics] == [False, False]
    assert (same.metrics, same.others) == ([], [])


def test_two_times_differ_in_the_changes_between_them_on_each_database(env: SyncEnv) -> None:
    env.sync()
    model = env.registry.ids("models")[0]
    env.registry.set_fields(model, {"name": "renamed"})
    first = env.registry.ids("model-versions")[-1]
    env.registry.set_tags(first, ["new"])
    env.sync()
    now = datetime.now(UTC)
    with open_readonly(env.url) as connection, connection.begin():
        found = compare_moments(connection, model="", start=now - timedelta(days=9), end=now, first=0)
        of_model = compare_moments(connection, model=model, start=now - timedelta(days=9), end=now, first=0)
        later = compare_moments(connection, model="", start=now, end=now + timedelta(days=1), first=0)
        rest = compare_moments(connection, model="", start=now - timedelta(days=9), end=now, first=found.total - 1)
    assert (found.is_known, found.known_from) == (False, min(row["started_at"] for row in env.rows(SyncRun)))
    assert {each.id for each in found.shown if each.entity == "models"} == set(env.registry.ids("models"))
    assert {each.model_id for each in of_model.shown} == {model}
    assert of_model.shown
    assert (later.total, later.shown, later.is_known) == (0, [], True)
    assert (rest.total, rest.shown) == (found.total, found.shown[-1:])
    assert [sentence(each, str) for each in rest.shown]


def test_page_of_a_version_links_to_its_differences_from_the_previous_one(pages: Pages) -> None:
    (model,) = pages.rows("/models", name=MARKUP)
    first, second = sorted(pages.rows("/model_versions", model_id=model["id"]), key=lambda row: str(row["version"]))
    (path,) = re.findall(r'href="/registry(/compare_versions[^"]*)"', pages.html(f"/model_versions/{second['id']}"))
    assert "compare_versions" not in pages.html(f"/model_versions/{first['id']}")
    page = pages.html(html.unescape(path))
    assert_harmless(page, path)
    assert f'<th scope="col"><a href="/registry/model_versions/{first["id"]}">v1</a></th>' in page
    tags = {row["tag"] for row in pages.rows("/tag_assignments", model_version_id=first["id"])}
    shown = {html.unescape(each) for each in re.findall(r"<bdi>(.*?)</bdi>", page, re.DOTALL)}
    assert MARKUP in tags & shown
    assert f'<p class="lede"><a href="/registry/models/{model["id"]}">' in page
    form = pages.html(f"/models/{model['id']}")
    assert re.search(r'<select id="compare-from" name="from"><option value="2">v2</option><option value="1" sel', form)
    assert f'name="model" value="{model["id"]}"' in form


def test_page_of_two_times_shows_changes_in_sentences_and_has_pages(pages: Pages) -> None:
    page = pages.html("/compare_moments", **{"from": "2d"})
    assert_harmless(page, "compare_moments")
    assert "What the first run found counts as created." in text(page)
    starts = sorted(str(row["started_at"]) for row in pages.rows("/sync_runs"))
    page = pages.html("/compare_moments", **{"from": starts[0], "to": f"{starts[1].replace(' ', 'T')}Z"})
    assert "counts as created" not in text(page)
    assert "tag given-lately added" in text(page)
    rest = pages.html("/compare_moments", **{"from": starts[0]}, _next=1)
    assert "First page" in rest
    assert page.count("<li>") > rest.count("<li>") > 0


@pytest.mark.parametrize(
    ("path", "parameters", "answer"),
    [
        ("/compare_versions", {"model": "no such", "from": "1", "to": "2"}, "No model is called 'no such'."),
        ("/compare_versions", {"model": MARKUP, "from": "1", "to": "99"}, "has no version 99: the newest is 2."),
        ("/compare_versions", {"model": MARKUP, "from": "x", "to": "2"}, "from: 'x' is not a version number."),
        ("/compare_moments", {"from": "x"}, "from: 'x' is not a time."),
        ("/compare_moments", {"from": "2d", "to": "3d"}, "from must be an earlier time than to."),
        ("/compare_moments", {"from": "2d", "model": MARKUP * 2}, "No model is called"),
    ],
)
def test_comparison_that_cannot_be_made_says_why(
    pages: Pages, path: str, parameters: dict[str, str], answer: str
) -> None:
    found = pages.response(path, **parameters)
    assert found.status_code == 400
    assert answer in html.unescape(found.text)
    assert_harmless(found.text, path)
    assert 'role="alert"' not in pages.html(path)
