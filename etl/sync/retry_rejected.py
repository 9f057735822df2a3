"""Fetch rejected records again, one by one.

The run reads nothing else, so it deletes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

from etl.enums import Entity
from etl.errors import RequestRefused, SourceError, SourceUnavailable
from etl.records import InvalidRecord, identify, identity
from etl.source import Client, Forbidden, Listing, fits_in_path
from etl.source.list_availability import explain_refusal, is_withheld
from etl.store import MissingRecords, Reject
from etl.sync.extract import Extraction

# Rejected records that the run's row lists at most.
_MOST_NAMED = 100

_Ask = Callable[[str], Any]
"""Returns the current record of an id, None if the control plane has none. Raises _NotFetched."""


class RetryResult(NamedTuple):
    """The result for a rejected record, with the reason if it is still rejected.

    `resolved`: the record was resolved before the retry.
    """

    outcome: Literal["stored", "missing", "rejected", "resolved"]
    reason: str | None = None


class _NotFetched(Exception):
    """The record could not be fetched. The message is the reason."""


@dataclass
class RejectedRetry:
    """The rejected records to fetch and, after the retry, the result for each by its number."""

    rejects: Sequence[Reject]
    results: dict[int, RetryResult] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The scope, as the run's row stores it."""
        return {"rejected": [each.id for each in self.rejects[:_MOST_NAMED]]}

    @property
    def missing(self) -> MissingRecords:
        """The rejected records that the control plane no longer has."""
        missing = [each for each in self.rejects if self.results[each.id].outcome == "missing"]
        return MissingRecords(records={(each.entity, each.record_id) for each in missing if each.record_id is not None})

    def read(self, client: Client, extraction: Extraction) -> None:
        """Fetch and stage each record once.

        A record that cannot be fetched leaves the run incomplete.
        """
        ask: dict[Entity, _Ask] = {}
        results: dict[tuple[str, str | None], RetryResult] = {}
        for entity, record_id in dict.fromkeys((Entity(each.entity), each.record_id) for each in self.rejects):
            extraction.advance(entity, 1, None)
            if entity not in ask:
                ask[entity] = (
                    _ml_repo_of(extraction) if entity is Entity.ML_REPOS else partial(_by_itself, client, entity)
                )
            results[entity, record_id] = _retry_result(extraction, entity, record_id, ask[entity])
        self.results = {each.id: results[each.entity, each.record_id] for each in self.rejects}


def _retry_result(extraction: Extraction, entity: Entity, record_id: str | None, ask: _Ask) -> RetryResult:
    try:
        record = ask(_named(record_id))
    except _NotFetched as error:
        extraction.unproven += 1
        return RetryResult("rejected", str(error))
    if record is None:
        return RetryResult("missing")
    if extraction.stager.take(entity, [record]).rejected:
        return RetryResult("rejected", _why(entity, record))
    return RetryResult("stored")


def _named(record_id: str | None) -> str:
    if record_id is None:
        raise _NotFetched("it has no id; the next sync reads it from the lists")
    return record_id


def _ml_repo_of(extraction: Extraction) -> _Ask:
    """Return an `_Ask` that looks ML repos up in their list: the API serves no single ones."""
    reading = extraction.reader.read(Listing("ml-repos", optional=True))
    try:
        listed = {
            identity(each.get("id")): each for page in reading for each in page.new_records if isinstance(each, dict)
        }
    except (Forbidden, RequestRefused) as refusal:
        if not is_withheld(refusal):
            raise
        return partial(_refuse, explain_refusal("ML repos", refusal))

    def ask(record_id: str) -> Any:
        if record_id not in listed and reading.proof is None:
            raise _NotFetched("the list of ML repos could not be proven complete")
        return listed.get(record_id)

    return ask


def _refuse(reason: str, _record_id: str) -> Any:
    raise _NotFetched(reason)


def _by_itself(client: Client, entity: Entity, record_id: str) -> Any:
    if not fits_in_path(record_id):
        raise _NotFetched("its id cannot be part of a URL; the next sync reads it from the lists")
    try:
        record = client.get(entity.replace("_", "-"), record_id)
    except SourceUnavailable:  # the cause is not this record
        raise
    except (SourceError, Forbidden) as error:
        raise _NotFetched(str(error)) from error
    if record is not None and identity(record.get("id")) != record_id:
        raise _NotFetched("the control plane returned another record instead")
    return record


def _why(entity: Entity, record: Any) -> str | None:
    try:
        identify(entity, record)
    except InvalidRecord as error:
        return error.reason
    return None
