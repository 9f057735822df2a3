"""Which lists a run reads, in which order, and how the versions are come by."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from etl.errors import RequestRefused, UnknownMlRepo
from etl.records import Entity, embedded_version, identity
from etl.source import Forbidden, Listing, Page, Reader, Reading
from etl.store import Staging
from etl.sync.intake import Intake
from etl.sync.plan import Plan
from etl.sync.scope import Scope

_log = logging.getLogger(__name__)

# Statuses by which a server says that it does not know a listing, or wants a filter with it.
_NOT_OFFERED = frozenset({400, 404, 405, 422, 501})
# Those by which it keeps what belongs to one model or ML repo.
_WITHHELD = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_MOST_WARNINGS = 20

Advance = Callable[[str, int, int | None], None]
"""Told of each page: which entity, how many records came, how many the list has (None where nobody says)."""


@dataclass
class _Batch:
    """Versions of several models, taken together: most models have few, and a page takes as many statements as one."""

    records: list[Any] = field(default_factory=list)
    again: set[int] = field(default_factory=set)
    ids: set[str | None] = field(default_factory=set)
    owners: dict[int, set[str]] = field(default_factory=dict)
    """Of each record, by its place in memory, the model that it was asked for with; what is no object has several."""
    ended: dict[str, bool] = field(default_factory=dict)
    """Models of which the last version has come, and whether it is proven that all have."""
    unreadable: set[str] = field(default_factory=set)
    """Models of which a version could not be read."""

    def has_room_for(self, page: Page, most: int) -> bool:
        """Whether the page may come in: what comes a second time is held against what is staged already."""
        return len(self.records) + len(page.fresh) <= most and self.ids.isdisjoint(_ids(page))

    def add(self, page: Page, model_id: str) -> None:
        """Take the page in."""
        self.again |= {len(self.records) + place for place in page.again}
        self.records += page.fresh
        self.ids |= _ids(page)
        for record in page.fresh:
            self.owners.setdefault(id(record), set()).add(model_id)

    def clear(self) -> None:
        """Everything was taken; what could not be read is remembered."""
        for gathered in (self.records, self.again, self.ids, self.owners, self.ended):
            gathered.clear()


def _ids(page: Page) -> set[str | None]:
    return {identity(each.get("id")) for each in page.fresh if isinstance(each, dict)} - {None}


@dataclass
class Readings:
    """Reads lists into the intake and remembers what was proven."""

    reader: Reader
    intake: Intake
    staging: Staging
    scope: Scope
    advance: Advance
    proofs: set[str] = field(default_factory=set)
    unproven: int = 0
    found_models: bool = False
    """Whether a model came: filters that nothing passes are perhaps misspelt."""
    warnings: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every list that was read was proven to be read in full."""
        return not self.unproven

    @property
    def proof(self) -> str | None:
        """The weakest proof that the run rests on; None when a list has none, or none was read."""
        if self.unproven or not self.proofs:
            return None
        return "confirmed" if "confirmed" in self.proofs else "anchored"

    def ml_repos(self) -> None:
        """Read all ML repos. UnknownMlRepo when one that was asked for is not among them."""
        listed: dict[str | None, str] = {}
        for page in self._pages("ml_repos", Listing("ml-repos")):
            self.intake.take("ml_repos", page.fresh, page.again)
            listed |= {identity(each.get("id")): _described(each) for each in page.fresh if isinstance(each, dict)}
        unknown = [each for each in self.scope.ml_repos if each not in listed]
        if unknown:
            some = ", ".join(list(listed.values())[:10]) or "none at all"
            message = f"The control plane knows no ML repo of the id {unknown[0]!r}: it lists {some}."
            raise UnknownMlRepo(message, ml_repos=tuple(unknown))

    def models(self) -> None:
        """Read every model of the scope, and keep the latest version that comes along when that is wanted."""
        for listing in self.scope.model_listings():
            for page in self._pages("models", listing):
                self.intake.take("models", page.fresh, page.again)
                self.found_models |= bool(page.fresh)
                if self.scope.versions == "latest":
                    self._take_latest(page)
        if not self.found_models and not self.scope.lists_every_model:
            self.warn("No model matches the filters of this run.")

    def _take_latest(self, page: Page) -> None:
        """Take the versions that come with models; those of a model that is as it was when all were read say less."""
        latest = [embedded_version(each) for each in page.fresh if isinstance(each, dict)]
        of_model = {identity(each["model_id"]): each for each in latest if each is not None}
        due = self.staging.due_among([each for each in of_model if each is not None])
        self.intake.take("model_versions", [each for model_id, each in of_model.items() if model_id in due])

    def versions(self, plan: Plan, *, full: bool) -> bool:
        """Read versions as planned, those of every model when `full`; whether a sweep brought all of the scope."""
        every = plan.way == "sweep" and self._sweep_versions()
        if every:  # what a model names as its latest and the sweep did not bring casts doubt on the sweep
            self.staging.mark_unread_without_latest()
            self._versions_of(self.staging.without_latest())
        elif plan.way in {"sweep", "by model"}:
            if full:
                self.staging.mark_all_due()
            self._versions_of(self.staging.due(), every=full)
        return every

    def _sweep_versions(self) -> bool:
        """Read all versions of the scope in as few lists as the server offers; False when it offers none.

        Forbidden when it offers the list of each ML repo, and allows none of them.
        """
        if not self.scope.ml_repos:
            try:
                if self._swept([Listing("model-versions")]):
                    return True
            except Forbidden as refusal:
                _log.info("not allowed as a whole: %s", refusal)
        repos = self.scope.ml_repos or tuple(self.staging.seen_ids("ml_repos"))
        read = self._swept([Listing("model-versions", (("ml_repo_id", repo),)) for repo in repos])
        if len(read) < len(repos):
            if not read:
                return False
            allowed = [value for listing in read for _, value in listing.filters]
            self.staging.mark_unread(list(self.staging.models_outside(allowed)))
        # A repo may be hidden, or unreadable, while its models are listed.
        hidden = list(self.staging.models_outside(repos))
        self.staging.mark_unread(hidden)
        self._versions_of(iter(hidden))
        return True

    def _swept(self, listings: Sequence[Listing]) -> list[Listing]:
        """Read lists that together bring all versions; those that were allowed, none when the server offers no such.

        Forbidden when it allows none of them.
        """
        before = self.unproven
        read: list[Listing] = []
        withheld: dict[Listing, Forbidden] = {}
        for listing in listings:
            try:
                for page in self._pages("model_versions", listing):
                    self.intake.take("model_versions", page.fresh, page.again)
                read.append(listing)
            except Forbidden as refusal:
                withheld[listing] = refusal
            except RequestRefused as refusal:
                if refusal.status not in _NOT_OFFERED:
                    raise
                _log.info("not offered here: %s", refusal)
                return []
        if withheld and not read:
            raise next(iter(withheld.values()))
        unread = self.intake.unread_models
        if self.unproven == before and None not in unread:
            self.staging.mark_all_read()
            self.staging.mark_unread(sorted(filter(None, unread)))
        for listing in withheld:
            self._not_had(listing, HTTPStatus.FORBIDDEN)
        return read

    def _versions_of(self, model_ids: Iterator[str], *, every: bool = False) -> None:
        """Read the versions of each of these models. Forbidden when they are `every` model, and none is allowed."""
        listings = (Listing("model-versions", (("model_id", model_id),)) for model_id in model_ids)
        answered, refused = False, None
        batch = _Batch()
        for reading in self.reader.read_many(listings):
            model_id = dict(reading.listing.filters)["model_id"]
            try:
                for page in reading:
                    self.advance("model_versions", len(page.fresh), None)
                    if not batch.has_room_for(page, self.reader.page_size):
                        self._take_versions(batch)
                    batch.add(page, model_id)
            except (RequestRefused, Forbidden) as refusal:
                status = refusal.status if isinstance(refusal, RequestRefused) else HTTPStatus.FORBIDDEN
                if status not in _WITHHELD:
                    raise
                refused = refusal if isinstance(refusal, Forbidden) else refused
                self._not_had(reading.listing, status)
                self.staging.mark_unread([model_id])
                continue
            answered = True
            batch.ended[model_id] = self._judge(reading)
        self._take_versions(batch)
        if every and refused and not answered:
            raise refused

    def _take_versions(self, batch: _Batch) -> None:
        """Take what was gathered, and note which of the models that ended were read in full."""
        rejected = self.intake.take("model_versions", batch.records, batch.again)
        batch.unreadable |= {owner for record in rejected for owner in batch.owners[id(record)]}
        read = {model_id for model_id, proven in batch.ended.items() if proven} - batch.unreadable
        self.staging.mark_read(sorted(read))
        self.staging.mark_unread(sorted(batch.ended.keys() - read))
        batch.clear()

    def _not_had(self, listing: Listing, status: int) -> None:
        self.unproven += 1
        self.warn(f"{_named(listing)} is not to be had ({status:d}): asked again next time, nothing is deleted.")

    def _pages(self, entity: Entity, listing: Listing) -> Iterator[Page]:
        reading = self.reader.read(listing)
        for page in reading:
            self.advance(entity, len(page.fresh), page.total)
            yield page
        self._judge(reading)

    def _judge(self, reading: Reading) -> bool:
        if reading.proof is None:
            self.unproven += 1
            self.warn(
                f"{_named(reading.listing)} could not be proven complete in {reading.sweeps} sweeps: it moves, or the "
                "server answers unsteadily. What came is stored, nothing is deleted."
            )
            return False
        self.proofs.add(reading.proof)
        return True

    def warn(self, message: str) -> None:
        """Tell it now, and in the result, which stays of a readable length."""
        _log.warning(message)
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(message)
        elif len(self.warnings) == _MOST_WARNINGS:
            self.warnings.append("There were more warnings: the log has them all.")


def _named(listing: Listing) -> str:
    filters = " and ".join(f"{name}={value}" for name, value in listing.filters)
    return f"The list of {listing.endpoint}{' with ' if filters else ''}{filters}"


def _described(ml_repo: dict[str, Any]) -> str:
    """An ML repo by its id, and its name if it has one."""
    manifest = ml_repo.get("manifest")
    name = manifest.get("name") if isinstance(manifest, dict) else None
    return f"{ml_repo.get('id')} ({name})" if name else str(ml_repo.get("id"))
