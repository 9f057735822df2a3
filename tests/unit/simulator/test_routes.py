import json
from typing import Any

import pytest

from etl.simulator import Registry
from etl.simulator.http_types import Request, Response
from etl.simulator.routes import Api

BEARER = "Bearer demo-token"


@pytest.fixture
def registry() -> Registry:
    return Registry.generate(models=6, versions=2, empty_share=0.17)


def ask(api: Api, path: str, **query: str) -> Response:
    lists = {name: [value] for name, value in query.items()}
    return api.answer(Request(path=path, query=lists, authorization=BEARER))


def mutate(api: Api, name: str, arguments: Any) -> Response:
    body = json.dumps(arguments).encode()
    request = Request(method="POST", path=f"/_simulator/{name}", authorization=BEARER, body=body)
    return api.answer(request)


def detail(answer: Response) -> Any:
    assert answer.status == 422
    return json.loads(answer.body)["detail"][0]


@pytest.mark.parametrize("prefix", ["/api/ml/v1", "/api/svc/v1"])
def test_both_prefixes_list_records_with_pagination(registry: Registry, prefix: str) -> None:
    answer = json.loads(ask(Api(registry), f"{prefix}/models", offset="1", limit="2").body)

    assert answer["data"] == registry.records("models")[1:3]
    assert answer["pagination"] == {"total": 6, "offset": 1, "limit": 2}


def test_a_page_has_a_hundred_records_by_default(registry: Registry) -> None:
    assert json.loads(ask(Api(registry), "/api/ml/v1/ml-repos").body)["pagination"] == {
        "total": 3,
        "offset": 0,
        "limit": 100,
    }


def test_a_page_beyond_the_end_is_empty(registry: Registry) -> None:
    assert json.loads(ask(Api(registry), "/api/ml/v1/models", offset="6").body)["data"] == []


@pytest.mark.parametrize("authorization", ["", "demo-token", "Bearer other", "Basic demo-token"])
def test_wrong_token_is_rejected(registry: Registry, authorization: str) -> None:
    answer = Api(registry).answer(Request(path="/api/ml/v1/models", authorization=authorization))

    assert answer.status == 401
    assert registry.ids("models")[0].encode() not in answer.body


@pytest.mark.parametrize(
    "path",
    ["/", "/api/ml/v1", "/api/ml/v1/artifacts", "/api/ml/v2/models", "/models", "/tfy/api/ml/v1/models"],
)
def test_unknown_path_returns_the_html_page_with_status_200(registry: Registry, path: str) -> None:
    answer = ask(Api(registry), path)

    assert answer.status == 200
    assert answer.content_type.startswith("text/html")


def test_api_answers_only_below_its_path_prefix(registry: Registry) -> None:
    api = Api(registry, path_prefix="/tfy", prefixes=("/api/svc/v1",))

    assert ask(api, "/tfy/api/svc/v1/models").content_type == "application/json"
    assert ask(api, "/api/svc/v1/models").content_type.startswith("text/html")
    assert ask(api, "/tfy/api/ml/v1/models").content_type.startswith("text/html")


def test_single_record_is_in_data_and_a_missing_one_is_404(registry: Registry) -> None:
    model_id = registry.ids("models")[0]

    one = ask(Api(registry), f"/api/ml/v1/models/{model_id}")

    assert json.loads(one.body) == {"data": registry.get("models", model_id)}
    assert ask(Api(registry), "/api/ml/v1/models/nobody").status == 404


def test_too_high_limit_is_rejected_in_the_format_of_fastapi(registry: Registry) -> None:
    assert detail(ask(Api(registry, max_limit=50), "/api/ml/v1/models", limit="51")) == {
        "type": "less_than_equal",
        "loc": ["query", "limit"],
        "msg": "Input should be less than or equal to 50",
        "input": "51",
        "ctx": {"le": 50},
    }


def test_a_limit_that_is_too_high_can_be_capped_silently(registry: Registry) -> None:
    answer = json.loads(ask(Api(registry, max_limit=2, cap_silently=True), "/api/ml/v1/models", limit="50").body)

    assert len(answer["data"]) == 2
    assert answer["pagination"] == {"total": 6, "offset": 0, "limit": 2}


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"offset": "-1"}, "greater_than_equal"),
        ({"limit": "0"}, "greater_than_equal"),
        ({"limit": "many"}, "int_parsing"),
        ({"offset": ""}, "int_parsing"),
        ({"include_empty_models": "perhaps"}, "bool_parsing"),
    ],
)
def test_an_invalid_query_is_refused(registry: Registry, query: dict[str, str], kind: str) -> None:
    refused = detail(ask(Api(registry), "/api/ml/v1/models", **query))

    assert refused["type"] == kind
    assert refused["loc"] == ["query", *query]


def test_a_total_can_be_omitted(registry: Registry) -> None:
    answer = json.loads(ask(Api(registry, total=False), "/api/ml/v1/models").body)

    assert answer["pagination"] == {"offset": 0, "limit": 100}


def test_models_are_filtered_by_every_documented_parameter(registry: Registry) -> None:
    version = next(v for v in registry.records("model-versions") if v["manifest"]["run_id"])
    model = registry.get("models", version["model_id"])

    def ids(**filters: str) -> list[str]:
        answer = ask(Api(registry), "/api/ml/v1/models", **filters)
        return [found["id"] for found in json.loads(answer.body)["data"]]

    assert ids(fqn=model["fqn"]) == [model["id"]]
    assert ids(name=model["name"]) == [model["id"]]
    assert ids(run_id=version["manifest"]["run_id"]) == [model["id"]]
    assert len(ids(ml_repo_id="1")) == 2
    assert len(ids(include_empty_models="false")) == 5
    assert len(ids(include_empty_models="True")) == 6
    assert ids(ml_repo_id="1", name="nobody") == []


@pytest.mark.parametrize(
    ("listing", "refused", "accepted"),
    [("ml_repo", {}, {"ml_repo_id": "1"}), ("model", {"ml_repo_id": "1"}, {"model_id": "any"})],
)
def test_versions_are_listed_only_with_the_required_filter(
    registry: Registry, listing: str, refused: dict[str, str], accepted: dict[str, str]
) -> None:
    api = Api(registry, versions_listing=listing)

    missing = detail(ask(api, "/api/ml/v1/model-versions", **refused))

    assert missing["type"] == "missing"
    assert missing["loc"] == ["query", f"{listing}_id"]
    assert ask(api, "/api/ml/v1/model-versions", **accepted).status == 200


PATHS = {
    "ml-repos": "/api/ml/v1/ml-repos",
    "models": "/api/ml/v1/models",
    "model-versions": "/api/svc/v1/model-versions",
}


def single(registry: Registry, entity: str) -> str:
    """The path of an existing record."""
    return f"{PATHS[entity]}/{registry.ids(entity)[0]}"


@pytest.mark.parametrize("entity", PATHS)
@pytest.mark.parametrize("status", [404, 405, 410, 501])
def test_list_that_is_not_offered_answers_with_the_chosen_status(registry: Registry, entity: str, status: int) -> None:
    api = Api(registry, offers=frozenset(PATHS) - {entity}, not_offered=status)

    answers = {each: ask(api, path).status for each, path in PATHS.items()}

    assert answers == dict.fromkeys(PATHS, 200) | {entity: status}


def test_list_that_is_not_offered_can_answer_with_the_html_page(registry: Registry) -> None:
    answer = ask(Api(registry, offers=frozenset(), not_offered=None), PATHS["models"])

    assert (answer.status, answer.content_type.partition(";")[0]) == (200, "text/html")


def test_single_records_of_lists_not_offered_are_not_offered_except_models(registry: Registry) -> None:
    api = Api(registry, offers=frozenset(), not_offered=405)

    answers = {each: ask(api, single(registry, each)).status for each in PATHS}

    assert answers == {"ml-repos": 405, "models": 200, "model-versions": 405}


@pytest.mark.parametrize("entity", PATHS)
def test_without_single_records_only_the_lists_answer(registry: Registry, entity: str) -> None:
    api = Api(registry, single_records=False)

    assert ask(api, single(registry, entity)).status == 404
    assert ask(api, PATHS[entity]).status == 200


@pytest.mark.parametrize("entity", PATHS)
def test_forbidden_list_and_its_single_records_answer_403_and_the_others_200(registry: Registry, entity: str) -> None:
    api = Api(registry, forbids=frozenset({entity}))

    lists = {each: ask(api, path).status for each, path in PATHS.items()}
    records = {each: ask(api, single(registry, each)).status for each in PATHS}

    assert lists == records == dict.fromkeys(PATHS, 200) | {entity: 403}


def test_wrong_token_is_401_before_any_list_is_refused(registry: Registry) -> None:
    api = Api(registry, offers=frozenset({"models"}), forbids=frozenset({"models"}))

    for path in PATHS.values():
        assert api.answer(Request(path=path, authorization="Bearer other")).status == 401


def test_offers_and_permissions_changed_between_requests_apply_to_the_next_one(registry: Registry) -> None:
    api = Api(registry)
    assert ask(api, PATHS["model-versions"]).status == 200

    api.forbids = frozenset({"model-versions"})
    assert ask(api, PATHS["model-versions"]).status == 403

    api.offers, api.not_offered = frozenset({"models"}), 501
    assert ask(api, PATHS["model-versions"]).status == 501

    api.offers, api.forbids = frozenset(PATHS), frozenset()
    assert ask(api, PATHS["model-versions"]).status == 200


def test_the_api_is_read_only(registry: Registry) -> None:
    request = Request(method="DELETE", path="/api/ml/v1/models/any", authorization=BEARER)

    assert Api(registry).answer(request).status == 405


def test_another_process_can_change_the_registry(registry: Registry) -> None:
    version_id = registry.ids("model-versions")[0]

    answer = mutate(Api(registry), "set_tags", {"version_id": version_id, "tags": ["prod"], "touch": False})
    added = mutate(Api(registry), "add_ml_repo", {})

    assert json.loads(answer.body) == {"ok": True, "result": None}
    assert registry.get("model-versions", version_id)["tags"] == ["prod"]
    assert json.loads(added.body) == {"ok": True, "result": "4"}


@pytest.mark.parametrize(
    ("name", "arguments", "status"),
    [
        ("generate", {}, 404),
        ("_drop", {}, 404),
        ("touch", {"id": "nobody"}, 404),
        ("put_raw", {"entity": "toys", "id": "a", "record": {}}, 404),
        ("touch", {"colour": "red"}, 400),
        ("touch", [], 400),
    ],
)
def test_an_invalid_change_is_refused(registry: Registry, name: str, arguments: Any, status: int) -> None:
    assert mutate(Api(registry), name, arguments).status == status


def test_registry_changes_require_the_token(registry: Registry) -> None:
    request = Request(method="POST", path="/_simulator/delete_ml_repo", body=b'{"id":"1"}')

    assert Api(registry).answer(request).status == 401
    assert registry.ids("ml-repos") == ["1", "2", "3"]
