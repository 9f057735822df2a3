"""The words by which views judge: which labels mean production, and which metrics should be low.

`db upgrade` writes the defaults. A setting replaces the words for production, and extends those for metrics. Each run
applies the words to the metrics that are new.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, delete, func, insert, literal, select

from etl.store.staging_tables import TABLES

_PRODUCTION, _WORDS, _DIRECTIONS = (TABLES[name] for name in ("production_words", "metric_words", "metric_directions"))
_METRICS = "model_version_metrics"
_SEPARATORS = re.compile(r"[\W_]+")
_CAPITAL = re.compile("(?<=[a-z0-9])(?=[A-Z])")

PRODUCTION_WORDS = ("prod", "production", "live", "champion")
"""The default words for production."""

LOWER_IS_BETTER = (
    "loss", "logloss", "error", "err", "errors", "latency", "perplexity", "ppl", "mae", "mse", "rmse", "mape", "smape",
    "rmsle", "msle", "wer", "cer", "eer", "fid", "brier", "ece", "nll", "bpc", "duration", "runtime", "fpr", "fnr",
    "false_positive_rate", "false_negative_rate", "toxicity", "hallucination", "cost",
)  # fmt: skip
HIGHER_IS_BETTER = (
    "accuracy", "acc", "auc", "auroc", "auprc", "ap", "map", "f1", "f1_score", "f1score", "precision", "recall",
    "specificity", "sensitivity", "bleu", "rouge", "rouge1", "rouge2", "rougel", "meteor", "ndcg", "mrr", "r2",
    "r2_score", "iou", "miou", "dice", "kappa", "mcc", "exact_match", "em", "hit_rate", "throughput", "reward", "tpr",
    "tnr", "gini", "ks",
)  # fmt: skip


class Vocabulary(NamedTuple):
    """The words that settings name; None where they name none, which leaves the stored words."""

    production: tuple[str, ...] | None = None
    lower_is_better: tuple[str, ...] | None = None
    higher_is_better: tuple[str, ...] | None = None


def write_defaults(connection: Connection) -> None:
    """Write the default words into tables that are empty."""
    for table, rows in ((_PRODUCTION, _production_rows(PRODUCTION_WORDS)), (_WORDS, _metric_rows((), ()))):
        if connection.scalar(select(table.c.word).limit(1)) is None:
            connection.execute(insert(table), _as_dicts(table, rows))


def write(connection: Connection, words: Vocabulary) -> None:
    """Write the words that settings name. Writes no row that is stored already. The caller commits."""
    if words.production is not None:
        _replace(connection, _PRODUCTION, _production_rows(words.production))
    if words.lower_is_better is not None or words.higher_is_better is not None:
        rows = _metric_rows(*_added_words(connection, words))
        if _replace(connection, _WORDS, rows):
            keys = connection.scalars(select(_DIRECTIONS.c.key)).all()
            _replace(connection, _DIRECTIONS, _directions(keys, dict(rows)))


def _added_words(connection: Connection, words: Vocabulary) -> tuple[set[str], set[str]]:
    """Return the words that settings name; where they name none, those that were added before."""
    given = {_in_parts(word) for word in (*(words.lower_is_better or ()), *(words.higher_is_better or ()))}

    def added(direction: str, own: tuple[str, ...] | None, defaults: tuple[str, ...]) -> set[str]:
        if own is not None:
            return set(own)
        stored = select(_WORDS.c.word).where(_WORDS.c.better == direction)
        return set(connection.scalars(stored).all()) - {*defaults} - given

    return (
        added("lower", words.lower_is_better, LOWER_IS_BETTER),
        added("higher", words.higher_is_better, HIGHER_IS_BETTER),
    )


def store_metric_directions(connection: Connection) -> None:
    """Write the direction of each metric that the run has stored for the first time. The caller commits."""
    new = connection.scalars(_keys_without_direction()).all()
    if new:
        words = {row.word: row.better for row in connection.execute(select(_WORDS))}
        connection.execute(insert(_DIRECTIONS), _as_dicts(_DIRECTIONS, _directions(new, words)))


def metric_direction(key: str, words: Mapping[str, str]) -> str | None:
    """Return which values of a metric are better, by the longest word in its name; None if words disagree.

    `valLoss` and `val/loss` have the parts `val` and `loss`. A word at the end of the name goes before all others:
    `accuracy_loss` is a loss. With `neg` or `negative` at its start, as in scikit-learn, the opposite is better.
    """
    names = {f"_{_in_parts(key)}_", f"_{_in_parts(key.lower())}_"}  # `mIoU` and `nDCG` are words as they are
    matches = [word for word in words if any(f"_{word}_" in name for name in names)]
    matches = [word for word in matches if any(name.endswith(f"_{word}_") for name in names)] or matches
    longest = max(map(len, matches), default=0)
    found = {words[word] for word in matches if len(word) == longest}
    if len(found) != 1:
        return None
    (better,) = found
    if any(name.startswith(("_neg_", "_negative_")) for name in names):
        return "lower" if better == "higher" else "higher"
    return better


@cache
def _keys_without_direction() -> Select[Any]:
    """Jump from each metric to the next by the index, which reads no other rows."""
    table = TABLES[_METRICS]
    keys = select(func.min(table.c.key).label("key")).cte(recursive=True)
    following = select(func.min(table.c.key)).where(table.c.key > keys.c.key).scalar_subquery()
    keys = keys.union_all(select(following).where(keys.c.key.is_not(None)))
    return select(keys.c.key).where(keys.c.key.is_not(None), keys.c.key.not_in(select(_DIRECTIONS.c.key)))


def _directions(keys: Iterable[str], words: Mapping[str, str]) -> set[tuple[str | None, ...]]:
    return {(key, metric_direction(key, words)) for key in keys}


def _production_rows(words: Iterable[str]) -> set[tuple[str | None, ...]]:
    # Only ASCII letters, because SQLite's LOWER() changes no others.
    return {("".join(each.lower() if each.isascii() else each for each in word).replace("=", ":"),) for word in words}


def _metric_rows(lower: Iterable[str], higher: Iterable[str]) -> set[tuple[str, str]]:
    """Return the default words and these; these win."""
    directions: Mapping[str, str] = {
        **dict.fromkeys(LOWER_IS_BETTER, "lower"),
        **dict.fromkeys(HIGHER_IS_BETTER, "higher"),
        **{_in_parts(word): "lower" for word in lower},
        **{_in_parts(word): "higher" for word in higher},
    }
    return set(directions.items())


def _in_parts(name: str) -> str:
    return _SEPARATORS.sub("_", _CAPITAL.sub("_", name).lower()).strip("_")


def _replace(connection: Connection, table: Table, rows: Collection[tuple[str | None, ...]]) -> bool:
    """Write the rows that are missing, and delete those that are surplus; return whether there were any."""
    (key, *_), stored = table.primary_key, {tuple(row) for row in connection.execute(select(*table.columns))}
    surplus, missing = stored - set(rows), set(rows) - stored
    for row in surplus:
        connection.execute(delete(table).where(key == literal(row[0])))
    if missing:
        connection.execute(insert(table), _as_dicts(table, missing))
    return bool(surplus or missing)


def _as_dicts(table: Table, rows: Iterable[tuple[str | None, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(table.columns.keys(), row, strict=True)) for row in sorted(rows, key=str)]
