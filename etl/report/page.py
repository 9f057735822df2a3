"""The HTML page, with a Content-Security-Policy that allows no requests."""

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

import etl
from etl.enums import Coverage
from etl.report import activity, caveats, findings, formatting, growth, key_figures, metrics, quality
from etl.report.data import PRODUCTION, REQUIRED_PROPERTIES, ReportData
from etl.report.links import model_links
from etl.report.python_support import is_end_of_life
from etl.store.runs import UNTIL_FULL_COMPARISON, age_of, full_comparison_age

Redact = Callable[[str], str]

_SECTIONS = {
    "production": "In production",
    "attention": "Attention",
    "activity": "Activity",
    "growth": "Growth",
    "quality": "Quality",
    "metrics": "Metrics",
    "runs": "Freshness",
}


def page(data: ReportData, *, max_age: timedelta, redact: Redact, model_url: str | None = None) -> str:
    """Render the page as HTML; `redact` removes secrets from text, and `model_url` is the template of links."""
    environment = _environment()
    # They are our own files, and hold no text of the registry.
    style, script = (Markup(_source(environment, name)) for name in ("page.css", "page.js"))  # noqa: S704
    found = findings.findings(data)
    moves, moved = key_figures.production_moves(data)
    versions = data.counts["model_versions"]
    grown = growth.growth(data)
    is_empty = grown is None
    return environment.get_template("page.html.j2").render(
        data=data,
        visible=_visible(redact),
        style=style,
        script=script,
        policy=policy(style, script),
        version=etl.__version__,
        sections=_sections(is_empty=is_empty, has_lists=any(each.rows for each in found)),
        is_empty=is_empty,
        host=data.history.runs[0]["host"],
        age=age_of(data.history.scopes),
        has_full_scopes=any(row["coverage"] == Coverage.ALL for row in data.history.scopes),
        full_comparison_age=full_comparison_age(data.history.scopes),
        until_full_comparison=UNTIL_FULL_COMPARISON,
        link=model_links(model_url, data.repo_ids, redact),
        caveats=caveats.caveats(data, max_age),
        key_figures=key_figures.key_figures(data),
        period=key_figures.period_label(data),
        moves=moves,
        moved=moved,
        production=data.production.models[:PRODUCTION],
        findings=found,
        activity=activity.activity(data),
        feed=activity.feed(data, redact),
        growth=grown,
        frameworks=quality.shares(data.makeup.frameworks, versions),
        base_models=quality.shares(data.makeup.base_models, versions),
        documentation=list(zip(quality.documentation(data), REQUIRED_PROPERTIES, strict=True)),
        pythons=quality.pythons(data),
        packages=quality.packages(data),
        creators=quality.creators(data),
        metadata_keys=quality.metadata_keys(data),
        metrics=metrics.worsened_metrics(data),
    )


def _visible(redact: Redact) -> Callable[[object, int], Markup]:
    """Return a function that makes registry text safe; names are repeated, so it remembers them."""
    return lru_cache(maxsize=4096, typed=True)(lambda value, longest: formatting.visible(value, redact, longest))


def _sections(*, is_empty: bool, has_lists: bool) -> list[tuple[str, str]]:
    """Return id and title of each section of the page."""
    shown = {"runs": _SECTIONS["runs"]} if is_empty else _SECTIONS
    return [*shown.items(), *([("lists", "Lists")] if has_lists else [])]


def policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that allows this style, this script and no requests."""
    allowed = {"style-src": _hashed(style), "script-src": _hashed(script), "img-src": "data:"}
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return "; ".join([nothing, *(f"{kind} {what}" for kind, what in allowed.items())])


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("etl.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": _text,
        "is_end_of_life": _is_end_of_life,
        "number": formatting.number,
        "signed_percent": formatting.signed_percent,
        "percent": formatting.percent,
        "share": lambda part, whole: quality.Share(None, part, whole),
        "repo_size": _repo_size,
        "moment": formatting.moment,
        "second": formatting.second,
        "day": formatting.day,
        "span": formatting.span,
        "plural": formatting.plural,
    }
    return environment


@pass_context
def _text(context: Context, value: object, longest: int = formatting.LONGEST) -> Markup:
    visible: Callable[[object, int], Markup] = context["visible"]
    return visible(value, longest)


@pass_context
def _is_end_of_life(context: Context, python: str | None) -> bool:
    return is_end_of_life(python, context["data"].made_at.date())


def _repo_size(row: dict[str, Any]) -> str:
    return formatting.size_at_least(row["artifact_size_bytes"], row["versions_without_size"])


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None  # noqa: S101 _environment sets it
    return environment.loader.get_source(environment, name)[0]
