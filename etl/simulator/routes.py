"""The API of the control plane without HTTP: paths, authorization, filters and limits."""

import inspect
import json
from dataclasses import KW_ONLY, dataclass
from typing import Any

from etl.simulator.http_types import (
    Request,
    Response,
    dumps,
    forbidden_response,
    html_response,
    json_response,
    not_offered_response,
    refusal,
)
from etl.simulator.registry import MUTATIONS, Registry
from etl.simulator.stored_record import ENTITIES, MODEL_VERSIONS, MODELS, Filters, step_text

DEFAULT_LIMIT = 100
CONTROL_PATH = "/_simulator/"
"""Path by which other processes change the registry; the real control plane has none."""

_BOOLEANS = {"true": "true", "1": "true", "false": "false", "0": "false"}
_NARROWING = {"tenant": (), "ml_repo": ("ml_repo_id", "model_id", "fqn"), "model": ("model_id", "fqn")}


class _Invalid(ValueError):
    """A query that the API rejects with 422, in FastAPI's format."""

    def __init__(self, parameter: str, kind: str, message: str, given: str | None, **context: int) -> None:
        super().__init__(message)
        detail: dict[str, Any] = {"type": kind, "loc": ["query", parameter], "msg": message, "input": given}
        self.detail = detail | ({"ctx": context} if context else {})


@dataclass
class Api:
    """The API of one registry, with the behaviour of this control plane, which may change between requests."""

    registry: Registry
    _: KW_ONLY
    token: str = "demo-token"  # noqa: S105 (the token of a control plane that exists for a demonstration)
    path_prefix: str = ""
    prefixes: tuple[str, ...] = ("/api/ml/v1", "/api/svc/v1")
    max_limit: int = 1000
    cap_silently: bool = False
    """Serve `max_limit` records if a request asks for more, and say so in `pagination.limit`. Otherwise such a request
    gets a 422."""
    total: bool = True
    versions_listing: str = "tenant"
    """The filter that `/model-versions` requires: tenant (none), ml_repo or model."""
    offers: frozenset[str] = frozenset(ENTITIES)
    """The lists that this control plane offers. Any other list, and its single records, gets the status `not_offered`.

    `/models/{id}` is always served."""
    not_offered: int | None = 404
    """The status of a list that is not offered; None for the HTML page."""
    forbids: frozenset[str] = frozenset()
    """The lists that the token may not read (403), with their single records."""
    single_records: bool = True
    """Whether single records are served; otherwise their paths get a 404."""

    def endpoint(self, path: str) -> tuple[str, str]:
        """Return the list of a path and the id in it; both may be empty."""
        for prefix in self.prefixes:
            head = f"{self.path_prefix}{prefix}/"
            if path.startswith(head):
                entity, _, record_id = path.removeprefix(head).rstrip("/").partition("/")
                return (entity, record_id) if entity in ENTITIES else ("", "")
        return "", ""

    def answer(self, request: Request) -> Response:
        """Answer a request without any fault."""
        mutation = request.path.removeprefix(self.path_prefix)
        entity, record_id = self.endpoint(request.path)
        if not entity and not mutation.startswith(CONTROL_PATH):
            return html_response()
        if request.authorization != f"Bearer {self.token}":
            return refusal(401, "Unauthorized: the token is missing or not valid.")
        if not entity:
            return self._mutate(mutation.removeprefix(CONTROL_PATH), request)
        if request.method != "GET":
            return refusal(405, "Method not allowed.")
        if (refused := self._refused(entity, single=bool(record_id))) is not None:
            return refused
        return self._one(entity, record_id) if record_id else self._list(entity, request.query)

    def _refused(self, entity: str, *, single: bool) -> Response | None:
        """Return the error for a list or record that is not offered or not allowed, otherwise None."""
        if single and not self.single_records:
            return refusal(404, "This control plane does not offer single records.")
        if entity not in self.offers and not (single and entity == MODELS):
            return not_offered_response(self.not_offered)
        return forbidden_response() if entity in self.forbids else None

    def _one(self, entity: str, id: str) -> Response:
        text = self.registry.text(entity, id)
        if text is None:
            return refusal(404, f"No {entity} with id {id}.")
        return Response(body=b'{"data":%b}' % text)

    def _list(self, entity: str, query: dict[str, list[str]]) -> Response:
        try:
            offset, limit = _natural(query, "offset", 0), self._limit(query)
            filters = self._filters(entity, query)
        except _Invalid as invalid:
            return json_response({"detail": [invalid.detail]}, 422)
        texts, total = self.registry.page(entity, filters, offset, limit)
        pagination = ({"total": total} if self.total else {}) | {"offset": offset, "limit": limit}
        return Response(body=b'{"data":[%b],"pagination":%b}' % (b",".join(texts), dumps(pagination)))

    def _limit(self, query: dict[str, list[str]]) -> int:
        limit = _natural(query, "limit", min(DEFAULT_LIMIT, self.max_limit), least=1)
        if limit > self.max_limit and not self.cap_silently:
            message = f"Input should be less than or equal to {self.max_limit}"
            raise _Invalid("limit", "less_than_equal", message, str(limit), le=self.max_limit)
        return min(limit, self.max_limit)

    def _filters(self, entity: str, query: dict[str, list[str]]) -> Filters:
        """Return the filters of a query, normalized as in records. Raises _Invalid."""
        filters = {name: tuple(values) for name, values in query.items() if name not in {"offset", "limit"}}
        if entity == MODELS and "include_empty_models" in filters:
            filters["include_empty_models"] = (_boolean(query, "include_empty_models"),)
        if entity == MODEL_VERSIONS:
            if "version" in filters:
                filters["version"] = (str(_natural(query, "version", 0)),)
            if "run_steps" in filters:
                filters["run_steps"] = tuple(map(step_text, filters["run_steps"]))
            narrowing = _NARROWING[self.versions_listing]
            if narrowing and not filters.keys() & set(narrowing):
                raise _Invalid(narrowing[0], "missing", "Field required", None)
        return filters

    def _mutate(self, name: str, request: Request) -> Response:
        if name not in MUTATIONS or request.method != "POST":
            return refusal(404, f"No mutation {name!r}: POST one of {', '.join(sorted(MUTATIONS))}.")
        mutation = getattr(self.registry, name)
        try:
            arguments = json.loads(request.body or b"{}")
            call = inspect.signature(mutation).bind(**arguments)
        except (ValueError, TypeError) as error:
            return refusal(400, f"{name}: {error}.")
        try:
            return json_response({"ok": True, "result": mutation(*call.args, **call.kwargs)})
        except LookupError as error:
            return refusal(404, str(error))


def _natural(query: dict[str, list[str]], name: str, default: int, *, least: int = 0) -> int:
    """Parse a whole number of at least `least`. Raises _Invalid."""
    given = query.get(name, [str(default)])[-1]
    if not given.removeprefix("-").isdecimal():
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise _Invalid(name, "int_parsing", message, given)
    if int(given) < least:
        message = f"Input should be greater than or equal to {least}"
        raise _Invalid(name, "greater_than_equal", message, given, ge=least)
    return int(given)


def _boolean(query: dict[str, list[str]], name: str) -> str:
    given = query[name][-1]
    if given.lower() not in _BOOLEANS:
        message = "Input should be a valid boolean, unable to interpret input"
        raise _Invalid(name, "bool_parsing", message, given)
    return _BOOLEANS[given.lower()]
