"""The HTML page, with a Content-Security-Policy that allows no requests."""

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import etl
from etl.report import findings, formatting, metrics
from etl.report.data import ReportData
from etl.store.runs import age_of

_SECTIONS = {
    "figures": "At a glance",
    "attention": "Attention",
    "changes": "Changes",
    "growth": "Growth",
    "mix": "Make-up",
    "production": "Production",
    "stale": "Stale",
    "undocumented": "Undocumented",
    "runs": "Runs",
}
_MAY_BE_MISSING = {
    "has_description": "description",
    "has_creator": "creator",
    "has_tags": "tags",
    "is_empty": "versions",
}


def page(data: ReportData, *, max_age: timedelta, redact: Callable[[str], str]) -> str:
    """Render the page as HTML; `redact` removes secrets from text."""
    environment = _environment(data, redact)
    # They are our own files, and hold no text of the registry.
    style, script = (Markup(_source(environment, name)) for name in ("page.css", "page.js"))  # noqa: S704
    growth = metrics.growth(data)
    return environment.get_template("page.html.j2").render(
        data=data,
        style=style,
        script=script,
        policy=policy(style, script),
        version=etl.__version__,
        sections=_SECTIONS.items(),
        host=data.runs[0]["host"],
        age=age_of(data.scopes),
        warnings=findings.warnings(data, max_age),
        attention=findings.attention(data),
        headline=metrics.headline(data),
        lately=metrics.lately(data),
        kinds=metrics.KINDS,
        growth=growth,
        mixes=_mixes(data),
        metrics=metrics.metric_rows(data),
    )


def policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that allows this style, this script and no requests."""
    allowed = {"style-src": _hashed(style), "script-src": _hashed(script), "img-src": "data:"}
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return "; ".join([nothing, *(f"{kind} {what}" for kind, what in allowed.items())])


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _mixes(data: ReportData) -> list[tuple[str, str, metrics.Mix, str, str]]:
    """Return id, heading, rows, unit and label of missing values for each distribution."""
    today = data.made_at.date()
    pythons = [row | {"is_end_of_life": findings.is_end_of_life(row["name"], today)} for row in data.pythons]
    having = "Models with a version"
    return [
        ("frameworks", "Framework", metrics.mix(data.frameworks), f"{having} of it, and such versions", "none"),
        ("packages", "Package", metrics.mix(data.packages), f"{having} that requires it, and such versions", "none"),
        ("pythons", "Python", metrics.mix(pythons), f"{having} on it, and such versions", "unreadable"),
        ("bases", "Base model", metrics.mix(data.base_models), f"{having} based on it, and such versions", "none"),
    ]


def _environment(data: ReportData, redact: Callable[[str], str]) -> Environment:
    environment = Environment(
        loader=PackageLoader("etl.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "text": partial(formatting.visible, redact=redact),
        "number": formatting.number,
        "signed": formatting.change,
        "size": formatting.size,
        "moment": formatting.moment,
        "day": formatting.day,
        "span": formatting.span,
        "plural": formatting.plural,
        "is_end_of_life": partial(findings.is_end_of_life, today=data.made_at.date()),
        "lacking": _lacking,
        "largest": lambda rows: max(row["models"] for row in rows),
    }
    return environment


def _lacking(row: dict[str, Any]) -> list[str]:
    """Return the names of the fields that a model lacks."""
    return [word for name, word in _MAY_BE_MISSING.items() if row[name] is (name == "is_empty")]


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None  # noqa: S101 _environment sets it
    return environment.loader.get_source(environment, name)[0]
