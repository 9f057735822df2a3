"""Pages that compare two versions of a model, or the registry at two moments, as `tfy-etl diff` does."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from math import isfinite
from typing import Any, NamedTuple

from datasette.utils.asgi import Response

from etl.changes import ID_FIELDS_SHOWN_BY_NAME, NamedChange, column_words, is_left_out
from etl.enums import Entity
from etl.errors import EtlError
from etl.explore import formatting, parameters
from etl.explore.database import NAME, PAGE_ROWS, RegistryDatabase, find_value
from etl.explore.questions.question import AT, MODEL, Parameter
from etl.records.diff import changes as field_changes
from etl.store import queries
from etl.store.queries.record_pages import Metric

_NUMBER = Parameter("from", "the number of a version, such as 3 or v3.")
_MOMENT = AT._replace(name="from", about=AT.about.replace("; empty for now", ""))
_FORMATS: Mapping[str, Callable[[str], object]] = {
    "artifact_size_bytes": lambda text: formatting.size(int(text)),
    "deployable": {"true": "yes", "false": "no"}.get,
}


class Comparison(NamedTuple):
    """A page that compares; its name is its URL, and the name of its template."""

    name: str
    title: str
    parameters: tuple[Parameter, ...]


VERSIONS = Comparison(
    "compare_versions",
    "What differs between two versions of a model?",
    (
        MODEL._replace(about="its name, ml_repo/model, FQN or id."),
        _NUMBER,
        _NUMBER._replace(name="to"),
    ),
)
MOMENTS = Comparison(
    "compare_moments",
    "What differs between two times?",
    (_MOMENT, AT._replace(name="to"), MODEL),
)
COMPARISONS = (VERSIONS, MOMENTS)


class Difference(NamedTuple):
    """A field, and its values in the first and in the second version; None if it has none there."""

    name: str
    old: object
    new: object


class VersionComparison(NamedTuple):
    """The differences between two versions. `ids` and `numbers` are of the first and of the second version.

    `metrics` are those with a finite number in both versions.
    """

    model_id: str
    model: str
    ids: tuple[str, str]
    numbers: tuple[int, int]
    metrics: Sequence[Metric]
    others: Sequence[Difference]


class MomentComparison(NamedTuple):
    """What differs between two moments: the changes of one page, the number of all, and the place of the first one.

    `is_known` is false if the first moment is before `known_from`, since when history is known.
    """

    start: datetime
    end: datetime
    shown: Sequence[NamedChange]
    total: int
    first: int
    known_from: datetime | None
    is_known: bool


async def versions_page(request: Any, datasette: Any) -> Response:
    """Return the page that compares two versions of a model."""
    given = _given(VERSIONS, request)
    if not all(given.values()):
        return await _render(VERSIONS, request, datasette, given)

    async def compare() -> VersionComparison:
        old, new = (int(parameters.version_number(given[name], name)) for name in ("from", "to"))
        model = await _model(datasette, given["model"])
        database: RegistryDatabase = datasette.databases[NAME]
        return await database.read(partial(compare_versions, model=model, old=old, new=new))

    return await _answer(VERSIONS, request, datasette, given, compare)


async def moments_page(request: Any, datasette: Any) -> Response:
    """Return the page that compares the registry at two moments."""
    given = _given(MOMENTS, request)
    if not given["from"]:
        return await _render(MOMENTS, request, datasette, given)

    async def compare() -> MomentComparison:
        start, end = (parameters.moment(name, given[name]) for name in ("from", "to"))
        if start >= end:
            raise ValueError("from must be an earlier time than to.")
        model = await _model(datasette, given["model"])
        first = int(text) if (text := request.args.get("_next") or "0").isdecimal() else 0
        database: RegistryDatabase = datasette.databases[NAME]
        return await database.read(partial(compare_moments, model=model, start=start, end=end, first=first))

    return await _answer(MOMENTS, request, datasette, given, compare)


ROUTES = [(rf"^/{NAME}/{VERSIONS.name}$", versions_page), (rf"^/{NAME}/{MOMENTS.name}$", moments_page)]


def _given(comparison: Comparison, request: Any) -> dict[str, str]:
    return {each.name: (request.args.get(each.name) or "").strip() for each in comparison.parameters}


async def _model(datasette: Any, text: str) -> str:
    """Return the id of the model with this name; the name if several have it; nothing if the text is empty."""
    found: str = await datasette.databases[NAME].execute_fn(lambda connection: find_value(connection, MODEL, text))
    return found


async def _answer(
    comparison: Comparison, request: Any, datasette: Any, given: Mapping[str, str], compare: Callable[[], Any]
) -> Response:
    """Return the page with what differs, or with the reason why it cannot say so."""
    try:
        found = await compare()
    except (ValueError, EtlError) as error:
        return await _render(comparison, request, datasette, given, error=str(error), status=400)
    return await _render(comparison, request, datasette, given, found=found)


async def _render(  # noqa: PLR0913 what the page shows
    comparison: Comparison,
    request: Any,
    datasette: Any,
    given: Mapping[str, str],
    *,
    found: VersionComparison | MomentComparison | None = None,
    error: str | None = None,
    status: int = 200,
) -> Response:
    database = datasette.databases[NAME]
    offered = [await database.execute(each.choices) if each.choices else () for each in comparison.parameters]
    shown = {
        "comparison": comparison,
        "parameters": list(zip(comparison.parameters, [[row[0] for row in rows] for rows in offered], strict=True)),
        "named_parameter_values": given,
        "database": NAME,
        "found": found,
        "error": error,
    }
    page = await datasette.render_template(f"{comparison.name}.html", shown, request=request, view_name="comparison")
    return Response.html(page, status=status)


def compare_versions(connection: Any, *, model: str, old: int, new: int) -> VersionComparison:
    """Compare two versions by number. `model` is a name or an id. ConfigError if there are not exactly two."""
    model_ids = queries.changes.find_model_ids(connection, model)
    pair = queries.diff.version_pair(connection, model_ids, old, new)
    found = field_changes(Entity.MODEL_VERSIONS, pair.ids[1], pair.old, pair.new)
    changes = [each for each in pair.with_names(found) if not is_left_out(each)]
    measured = {key: values for each in changes if (key := _metric_key(each)) and (values := _numbers(each))}
    better = queries.record_pages.directions(connection, [*measured])
    return VersionComparison(
        model_id=pair.model_id,
        model=pair.model or pair.model_id,
        ids=pair.ids,
        numbers=(old, new),
        metrics=[Metric(key, better.get(key), [old, new], values) for key, values in sorted(measured.items())],
        others=[_difference(each) for each in changes if _metric_key(each) not in measured],
    )


def _metric_key(change: NamedChange) -> str | None:
    group, _, key = (change.field or "").partition(".")
    return key if group == "metrics" else None


def _numbers(change: NamedChange) -> list[float]:
    """Return the two values of a metric; nothing if one of them is missing, or is no finite number."""
    with suppress(ValueError):
        values = [float(each) for each in (change.old, change.new) if each is not None]
        if len(values) == 2 and all(map(isfinite, values)):  # noqa: PLR2004 both
            return values
    return []


def _difference(change: NamedChange) -> Difference:
    field, old, new = change.field or "", change.old, change.new
    if field in ID_FIELDS_SHOWN_BY_NAME:
        return Difference(column_words(field), change.old_name or old, change.new_name or new)
    if change.kind in {"tag_added", "tag_removed"}:
        return Difference("tag", old, new)
    show = _FORMATS.get(field, str)
    return Difference(_words(field), *(each and (show(each) or each) for each in (old, new)))


def _words(field: str) -> str:
    group, _, key = field.partition(".")
    if group in {"metrics", "packages"}:
        return f"{group.removesuffix('s')} {key}"
    return field if key else column_words(field)


def compare_moments(connection: Any, *, model: str, start: datetime, end: datetime, first: int) -> MomentComparison:
    """Compare two moments, of one model or of all: a page of what differs, from the place `first` on."""
    model_ids = queries.changes.find_model_ids(connection, model) if model else None
    changes = [each for each in queries.diff.between(connection, start, end, model_ids) if not is_left_out(each)]
    known_from = queries.diff.history_start(connection)
    is_known = known_from is not None and start >= known_from
    shown = changes[first : first + PAGE_ROWS]
    return MomentComparison(start, end, shown, len(changes), first, known_from, is_known)
