"""The result of a run, for people: the state first, then counts, proof, cost and warnings."""

from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from etl.cli import logs
from etl.cli.console import can_show_marks, pluralize, table
from etl.cli.planned_changes import show_planned
from etl.cli.sanitize import sanitize
from etl.enums import Entity
from etl.sync import Summary

_NAMES = {Entity.ML_REPOS: "ML repos", Entity.MODELS: "models", Entity.MODEL_VERSIONS: "versions"}
_COUNTS = ("seen", "inserted", "updated", "unchanged", "restored", "rejected", "deleted")
_HEADERS = {"seen": "read"}
_RARE = {"restored", "rejected"}
"""Columns that are shown only if they count something."""
_COVERAGE = {"all": "all versions of each model", "latest": "only the latest version of each model"}
_PROOFS = {"anchored": "all pages joined", "confirmed": "two sweeps agree"}
_CHANGES = {"inserted": "insert", "updated": "update", "restored": "restore", "deleted": "delete"}


def print_run_result(summary: Summary, out: Console, *, brief: bool = False) -> None:
    """Print the result; `brief`: only the state, the warnings and the number of rejected records."""
    out.print(_headline(summary, out))
    if not brief:
        _print_details(summary, out)
        show_planned(summary, out)
    for warning in _warnings(summary, out):
        out.print(Text.assemble(("Warning: ", "yellow"), sanitize(warning)))
    if summary.rejected:
        verb = "was" if summary.rejected == 1 else "were"
        out.print(f"{pluralize(summary.rejected, 'record')} {verb} rejected: tfy-etl rejected list shows the reasons.")


def _warnings(summary: Summary, out: Console) -> list[str]:
    """Return the warnings that stderr has not shown. The last one of a refused dry run is never logged."""
    if not logs.share_terminal_with(out):
        return summary.warnings
    return summary.warnings[-1:] if summary.status == "refused" else []


def _headline(summary: Summary, out: Console) -> Text:
    good = summary.status == "succeeded"
    mark = ("✔ " if good else "✘ ") if can_show_marks(out) else ""
    if good and Entity.ML_REPOS not in summary.live and not any(summary.tallies[Entity.MODELS]):
        sentence = "No model matches the filters"
    elif summary.run_id is not None:
        sentence = f"{'Up to date' if good else 'Partly up to date'}: {_contents(summary)}"
    elif summary.status == "refused":
        sentence = "Dry run: nothing was written. A run would be refused."
    else:
        sentence = f"Dry run: nothing was written. A run would {_changes(summary)}."
    return Text(f"{mark}{sentence}", style="bold green" if good else "bold yellow")


def _contents(summary: Summary) -> str:
    """The numbers of models, versions and ML repos that the tables hold now."""
    # Under the coverage `latest`, earlier versions stay in the tables, and may be deleted at the source.
    counted = [Entity.MODELS] if summary.coverage == "latest" else [Entity.MODELS, Entity.MODEL_VERSIONS]
    contents = ", ".join(pluralize(summary.total(each), _noun(each)) for each in counted)
    if Entity.ML_REPOS in summary.live:
        contents += f" in {pluralize(summary.total(Entity.ML_REPOS), 'ML repo')}"
    only = ["latest versions only"] if summary.coverage == "latest" else []
    only += [] if Entity.ML_REPOS in summary.live else ["filtered"]
    return f"{contents} ({', '.join(only)})" if only else contents


def _changes(summary: Summary) -> str:
    """The changes that a run would make: insert 2 models, 5 versions; update 1 version."""
    parts = []
    for name, verb in _CHANGES.items():
        numbers = {_noun(entity): getattr(tally, name) for entity, tally in summary.tallies.items()}
        if changed := [pluralize(number, noun) for noun, number in numbers.items() if number]:
            parts.append(f"{verb} {', '.join(changed)}")
    return "; ".join(parts) or "change nothing"


def _noun(entity: Entity) -> str:
    """A table's records in the singular: model."""
    return _NAMES[entity].removesuffix("s")


def _print_details(summary: Summary, out: Console) -> None:
    shown = [name for name in _COUNTS if name not in _RARE or any(getattr(t, name) for t in summary.tallies.values())]
    counts = table("")
    for name in shown:
        counts.add_column(_HEADERS.get(name, name), justify="right")
    for entity, tally in summary.tallies.items():
        counts.add_row(_NAMES[entity], *(f"{getattr(tally, name):,}" for name in shown))
    out.print(counts)
    out.print(_versions_read(summary))
    out.print(_proof(summary))
    requests = pluralize(summary.requests, "request") + (
        f" ({pluralize(summary.retries, 'retry', 'retries')})" if summary.retries else ""
    )
    out.print(f"{requests}, {decimal(summary.bytes_received)}, {_duration(summary.duration_s)}.")


def _versions_read(summary: Summary) -> str:
    """The number of versions that were read, and the reason."""
    number, because = summary.tallies[Entity.MODEL_VERSIONS].seen, sanitize(summary.plan.because)
    if summary.plan.way == "none":
        return f"No version was read: {because}."
    if summary.plan.way == "embedded":
        return f"Each model's latest version was read: {because}."
    verb = "was" if number == 1 else "were"
    return f"{pluralize(number, 'version')} {verb} read: {because}."


def _proof(summary: Summary) -> str:
    """The proof of completeness, and the coverage."""
    if not summary.complete:
        proof = "Not proven complete: nothing was deleted"
    else:
        proof = f"Proven complete ({_PROOFS[summary.proof]})" if summary.proof else "Complete"
    return f"{proof}; covers {_COVERAGE[summary.coverage]}." if summary.coverage else f"{proof}."


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
