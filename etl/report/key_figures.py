"""The key figures, and what moved in production. Pure."""

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from etl.report.data import MOVES, RECENT_PERIOD, ChangeCounts, ReportData, Row
from etl.report.formatting import number, plural, size_at_least, span

_MINUS = "\N{MINUS SIGN}"


class KeyFigure(NamedTuple):
    """A figure, with its recent change and a note; empty if there is none."""

    label: str
    value: str
    change: str = ""
    note: str = ""


def key_figures(data: ReportData) -> list[KeyFigure]:
    """Return the key figures."""
    counts, production = data.counts, data.production
    versions = sum(len(each.current) for each in production.models)

    def counted(label: str, entity: str) -> KeyFigure:
        return KeyFigure(label, number(counts[entity]), moves(data.activity.changed_lately, entity))

    unknown = counts["without_size"]
    several = plural(versions, "version") if versions > len(production.models) else ""
    return [
        KeyFigure("Models in production", number(production.stored_models), _entered(data), several),
        counted("Models", "models"),
        counted("Versions", "model_versions"),
        counted("ML repos", "ml_repos"),
        KeyFigure(
            "Size of artifacts",
            size_at_least(counts["bytes"], unknown),
            note=f"{plural(unknown, 'version')} of unknown size" if unknown else "",
        ),
    ]


def moves(found: ChangeCounts, entity: str) -> str:
    """Return how many records were added and deleted, such as "+3 −1"."""
    came = found.get((entity, "created"), 0) + found.get((entity, "restored"), 0)
    went = found.get((entity, "deleted"), 0)
    parts = [f"+{number(came)}"] * bool(came) + [f"{_MINUS}{number(went)}"] * bool(went)
    return " ".join(parts) or "no change"


def period_label(data: ReportData) -> str:
    """Return the name of the recent period."""
    if data.since > data.made_at - RECENT_PERIOD:
        return "so far"
    return f"last {RECENT_PERIOD.days} days"


def _entered(data: ReportData) -> str:
    entered = sum(_is_entry(row, data.since) for row in data.production.periods)
    left = sum(_is_exit(row, data.since) for row in data.production.periods)
    parts = [f"{number(entered)} entered"] * bool(entered) + [f"{number(left)} left"] * bool(left)
    return f"versions: {', '.join(parts)}" if parts else "no change"


def _is_entry(row: Row, since: datetime) -> bool:
    return bool(row["valid_from_is_exact"] and row["valid_from"] >= since)


def _is_exit(row: Row, since: datetime) -> bool:
    return row["valid_to"] is not None and row["valid_to"] >= since


class Move(NamedTuple):
    """A change of what a model has in production: `word` names it, and `text` says it."""

    at: datetime
    model: Row
    word: str
    text: str


def production_moves(data: ReportData) -> tuple[list[Move], int]:
    """Return the newest recent moves in production, the latest first, and the number of all of them."""
    events: dict[tuple[datetime, str], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for row in data.production.periods:
        if _is_entry(row, data.since):
            events[row["valid_from"], row["model_id"]][0].append(row)
        if _is_exit(row, data.since):
            events[row["valid_to"], row["model_id"]][1].append(row)
    moves = [_move(data, at, entered, left) for (at, _model), (entered, left) in events.items()]
    moves.sort(key=lambda move: (move.at, move.model["model_name"] or ""), reverse=True)
    return moves[:MOVES], len(moves)


_WORDS = {"first": "first", "promotion": "promoted", "rollback": "rolled back", "return": "back"}


def _move(data: ReportData, at: datetime, entered: list[Row], left: list[Row]) -> Move:
    if not entered:
        return Move(at, left[0], "retired", f"{_names(left)} left production{_after(left)}")
    row = entered[0]
    word = _WORDS.get(row["change"], "entered")  # versions without a number have no order
    if left:
        return Move(at, row, word, f"{_names(entered)} replaced {_names(left)}{_after(left)}")
    if _had_others(data, row["model_id"], at):
        return Move(at, row, "entered", f"{_names(entered)} entered production beside others{_lead(entered)}")
    return Move(at, row, word, f"{_names(entered)} entered production{_lead(entered)}")


def _had_others(data: ReportData, model_id: str, at: datetime) -> bool:
    """Whether another version of the model was in production before and after a moment."""
    still = (each.row["since_at"] for model in data.production.models for each in model.current
             if model.model_id == model_id)  # fmt: skip
    ended = (row for row in data.production.periods if row["model_id"] == model_id and row["valid_to"] is not None)
    return any(since < at for since in still) or any(row["valid_from"] < at < row["valid_to"] for row in ended)


def _names(rows: list[Row]) -> str:
    names = [f"v{row['version']}" if row["version"] is not None else "a version without a number" for row in rows]
    return " and ".join(dict.fromkeys(names))


def _after(left: list[Row]) -> str:
    """Say how long the versions were in production; nothing if that is not known."""
    known = [row["duration_seconds"] for row in left if row["valid_from_is_exact"] and row["duration_seconds"]]
    return f" after {span(max(known))}" if known else ""


def _lead(entered: list[Row]) -> str:
    known = [row["lead_time_seconds"] for row in entered if row["lead_time_seconds"] is not None]
    return f", {span(min(known))} after its creation" if known and min(known) >= 0 else ""
