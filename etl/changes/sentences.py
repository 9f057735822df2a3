"""The sentence of a change, and one line for each changed record.

`clean` makes text of the registry safe for the reader. It is applied to each whole value before the value is
shortened, because no pattern recognises half of a secret.
"""

import re
from collections.abc import Callable
from itertools import groupby

from etl.changes.fields import ID_FIELDS_SHOWN_BY_NAME, VALUELESS_FIELDS, column_words
from etl.changes.named_change import RECORD_KINDS, NamedChange, PlannedChanges

Sanitizer = Callable[[str], str]

NOTHING_RECORDED = "The first load of a scope records no changes."

_LONGEST_VALUE = 40
_LONGEST_NAME = 60
_PARTS = 3
_WHOLE = re.compile(r"-?[0-9]{1,20}")


def sentence(change: NamedChange, clean: Sanitizer) -> str:
    """Return the change as a sentence: `fraud-scorer v3: tag production added`."""
    return f"{name(change, clean)}: {_predicate(change, clean)}"


def difference(change: NamedChange, clean: Sanitizer, old: str, new: str) -> str:
    """Return in what two versions differ: `tag production only in v5`, `framework pytorch in v5, sklearn in v8`."""
    column, _, key = (change.field or "").partition(".")
    words = {"tags": "tag", "metrics": "metric", "packages": "package", "extra": "field"}.get(column)
    words = words or _shorten(column_words(column), clean, _LONGEST_VALUE)
    if key and column != "packages":  # the requirement begins with the package's name
        words = f"{words} {_value(key, clean)}"
    before, after = change.old, change.new
    where = "only in" if None in (before, after) else "in"
    if column in ID_FIELDS_SHOWN_BY_NAME:
        before, after = before and change.old_name, after and change.new_name
    if column in VALUELESS_FIELDS or (before, after) == (None, None):
        return f"{words} {where} {old if change.new is None else new}" if where == "only in" else f"{words} differs"
    shown = _size if column == "artifact_size_bytes" else _value
    values = [
        f"{shown(text, clean)} {where} {each}" for text, each in ((before, old), (after, new)) if text is not None
    ]
    return f"{words} {', '.join(values)}"


def name(change: NamedChange, clean: Sanitizer) -> str:
    """Return the name of the changed record: `ML repo risk`, `fraud-scorer` or `fraud-scorer v3`.

    If models of several ML repos have the name, it begins with the ML repo: `risk/fraud-scorer`.
    """
    if change.entity == "ml_repos":
        return f"ML repo {_shorten(change.ml_repo or change.id, clean, _LONGEST_NAME)}"
    if change.model is None:  # the source does not say it, or the model is not stored
        return _shorten((change.fqn or change.id).removeprefix("model:"), clean, _LONGEST_NAME)
    model = _shorten(change.model, clean, _LONGEST_NAME)
    if change.shares_name and change.ml_repo is not None:
        model = f"{_shorten(change.ml_repo, clean, _LONGEST_NAME)}/{model}"
    if change.entity == "models":
        return model
    return f"{model} v{change.version}" if change.version is not None else f"{model}, version {clean(change.id)}"


def record_lines(planned: PlannedChanges, clean: Sanitizer, limit: int) -> list[str]:
    """Return one line per record, with up to three changes each, and a last line that counts the other records."""
    lines = list[str]()
    for _, group in groupby(planned.changes, key=lambda each: (each.entity, each.id)):
        changes = list(group)
        predicates = [_predicate(each, clean) for each in changes[:_PARTS]]
        more = [f"and {len(changes) - _PARTS} more"] if len(changes) > _PARTS else []
        lines.append(f"{name(changes[0], clean)}: {', '.join([*predicates, *more])}")
        if len(lines) == limit:
            break
    rest = planned.records - len(lines)
    return [*lines, f"and {rest} more"] if rest else lines


def deleted_record_names(planned: PlannedChanges, clean: Sanitizer) -> str:
    """Return the names of deleted records in one line: `ML repo risk, fraud-scorer with 5 versions and 2 more`."""
    named = [f"{name(each, clean)}{_with_versions(each, ' with')}" for each in planned.changes]
    rest = planned.records - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _predicate(change: NamedChange, clean: Sanitizer) -> str:
    """Return what happened to the record."""
    if change.kind in RECORD_KINDS:
        return f"{change.kind}{_with_versions(change, ', with')}{_with_tags(change, clean)}"
    if change.kind in {"tag_added", "tag_removed"}:
        return f"tag {_value(change.new or change.old or '', clean)} {change.kind.removeprefix('tag_')}"
    group, _, key = (change.field or "").partition(".")
    if group == "metrics":
        return _metric_change(key, change, clean)
    if group == "packages":
        return _package_change(change, clean)
    if key:
        group = "field" if group == "extra" else _shorten(group, clean, _LONGEST_VALUE)
        return _field_change(f"{group} {_value(key, clean)}", change, clean)
    return _column_change(change, clean)


def _column_change(change: NamedChange, clean: Sanitizer) -> str:
    column = change.field or ""
    if column == "name" and change.old is not None:
        return f"renamed from {_value(change.old, clean)} to {_value(change.new or '', clean)}"
    if column == "ml_repo_id" and change.old_name is not None and change.new_name is not None:
        return f"moved from ML repo {_value(change.old_name, clean)} to {_value(change.new_name, clean)}"
    if column == "deployable" and change.old is not None and change.new in {"true", "false"}:
        return "can be deployed now" if change.new == "true" else "can no longer be deployed"
    words = _shorten(column_words(column), clean, _LONGEST_VALUE)
    if column in VALUELESS_FIELDS:
        return f"{words} {_verb(change)}"
    if column in ID_FIELDS_SHOWN_BY_NAME:
        named = change._replace(old=change.old and change.old_name, new=change.new and change.new_name)
        # A name is unknown if the record that has the id is not stored.
        is_known = (named.old is None, named.new is None) == (change.old is None, change.new is None)
        return _field_change(words, named, clean) if is_known else f"{words} {_verb(change)}"
    return _field_change(words, change, clean, _size if column == "artifact_size_bytes" else None)


def _field_change(
    words: str, change: NamedChange, clean: Sanitizer, shown: Callable[[str, Sanitizer], str] | None = None
) -> str:
    value = shown or _value
    if change.old is None:
        return f"{words} set to {value(change.new or '', clean)}"
    if change.new is None:
        return f"{words} {value(change.old, clean)} removed"
    return f"{words} changed from {value(change.old, clean)} to {value(change.new, clean)}"


def _metric_change(key: str, change: NamedChange, clean: Sanitizer) -> str:
    words = f"metric {_value(key, clean)}"
    if change.old is None:
        return f"{words} {_value(change.new or '', clean)} logged"
    return _field_change(words, change, clean)


def _package_change(change: NamedChange, clean: Sanitizer) -> str:
    """Describe a requirement, which begins with the package's name."""
    if change.old is not None and change.new is not None:
        return f"package {_value(change.old, clean)} changed to {_value(change.new, clean)}"
    return f"package {_value(change.new or change.old or '', clean)} {_verb(change)}"


def _verb(change: NamedChange) -> str:
    if change.old is None:
        return "added"
    return "removed" if change.new is None else "changed"


def _value(text: str, clean: Sanitizer) -> str:
    """Return a value, shortened, and in quotes if it is not one word."""
    shown = _shorten(text, clean, _LONGEST_VALUE)
    return shown if shown and " " not in shown else f'"{shown}"'


def _size(text: str, clean: Sanitizer) -> str:
    return f"{int(text):,} bytes" if _WHOLE.fullmatch(text) else _value(text, clean)


def _shorten(text: str, clean: Sanitizer, longest: int) -> str:
    line = " ".join(clean(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _with_versions(change: NamedChange, words: str) -> str:
    """Return the number of versions after these words; nothing if there are none."""
    return f"{words} {change.versions} version{'' if change.versions == 1 else 's'}" if change.versions else ""


def _with_tags(change: NamedChange, clean: Sanitizer) -> str:
    """Return the first tags of a created version; nothing if it had none."""
    shown = ", ".join(_value(each, clean) for each in change.tags[:_PARTS])
    more = f" and {len(change.tags) - _PARTS} more" if len(change.tags) > _PARTS else ""
    return f", with tag{'' if len(change.tags) == 1 else 's'} {shown}{more}" if change.tags else ""
