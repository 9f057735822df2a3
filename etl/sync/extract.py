"""Read the lists of a run: ML repos, then models, then versions by the plan."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from etl.enums import Coverage, Entity
from etl.errors import RequestRefused
from etl.records import IdentifiedRecord, Record, identity
from etl.redaction import escape_unprintable
from etl.source import Client, Forbidden, Listing, ListingRead, ListingReader, NotOffered, Page
from etl.source.list_availability import VERSIONS, Refusal, explain_refusal, is_withheld, refusal_of_versions
from etl.store import ScopeState, Staging
from etl.sync import messages
from etl.sync.derived_ml_repos import DerivedMlRepos
from etl.sync.find_ml_repo import find_ml_repo
from etl.sync.plan import Plan
from etl.sync.scope import Scope
from etl.sync.stage_pages import PageStager
from etl.sync.version_batch import VersionBatch

_log = logging.getLogger(__name__)

_MOST_WARNINGS = 20
_REFUSED_IN_A_ROW = 3
"""Consecutive models with refused versions before the list of versions is probed again; then ten times as many."""

PageCallback = Callable[[Entity, int, int | None], None]
"""Called for each page with its entity, its number of records, and the list's length (None if unknown)."""


@dataclass
class Extraction:
    """Reads lists into the page stager and records their proofs of completeness.

    `before` is the state of the scope after its last complete run. With `accept_coverage`, the control plane may offer
    less than it did then. `ml_repo_name` is the stored name of the only ML repo, if that saves reading them all.
    """

    client: Client
    reader: ListingReader
    stager: PageStager
    staging: Staging
    scope: Scope
    advance: PageCallback
    before: ScopeState
    accept_coverage: bool
    ml_repo_name: str | None = None
    coverage: Coverage | None = None
    """None until the first page of models is read."""
    why_latest: str = "only the latest versions are requested, and the models contain them"
    lists_ml_repos: bool = True
    shrank: bool = False
    """Whether the control plane offers less than before, or stopped listing versions during the run."""
    needs_acceptance: bool = False
    """Whether each run will be partial until one has `accept_coverage`."""
    proofs: set[str] = field(default_factory=set)
    unproven: int = 0
    found_models: bool = False
    """Whether any model was listed. If none was, a filter may be misspelt."""
    warnings: list[str] = field(default_factory=list)
    _missing: dict[str, Refusal] = field(default_factory=dict)
    """Refusals of the lists that cannot be read, by kind of list."""
    _listed: AbstractSet[str] = frozenset()
    """Ids of the listed ML repos."""
    _derived: DerivedMlRepos = field(default_factory=DerivedMlRepos)

    @property
    def complete(self) -> bool:
        """Whether every list that was read is proven complete."""
        return not self.unproven

    @property
    def proof(self) -> str | None:
        """The weakest proof of the run's lists; None if a list has none, or no list was read."""
        if self.unproven or not self.proofs:
            return None
        return "confirmed" if "confirmed" in self.proofs else "anchored"

    def ml_repos(self) -> None:
        """Read all ML repos, or the only one of the scope.

        Raises UnknownMlRepo if the list is proven complete, and one of the scope is not in it.
        """
        found = self.ml_repo_name and find_ml_repo(self.client, self.scope.ml_repos[0], self.ml_repo_name)
        if found:
            self.stager.take(Entity.ML_REPOS, [found])
            self._listed = frozenset(self.scope.ml_repos)
            return
        listed: dict[str | None, str] = {}
        unproven = self.unproven
        try:
            for page in self._pages(Entity.ML_REPOS, Listing("ml-repos", optional=True)):
                self.stager.take(Entity.ML_REPOS, page.new_records, page.again)
                records = [each for each in page.new_records if isinstance(each, dict)]
                listed |= {identity(each.get("id")): messages.ml_repo_label(each) for each in records}
        except (Forbidden, RequestRefused) as refusal:
            if not is_withheld(refusal):
                raise
            if not listed:
                self.lists_ml_repos = False
                self._missing["ML repos"] = refusal
                return
            self._not_had(Listing("ml-repos"), refusal)
        self._listed = frozenset(filter(None, listed))
        unknown = [each for each in self.scope.ml_repos if each not in listed]
        if unknown and self.unproven == unproven:
            raise messages.unknown_ml_repos(unknown, map(self.client.redact, listed.values()))

    def models(self) -> None:
        """Read every model of the scope.

        If versions cannot be listed, also take the latest version that each model contains.
        """
        for listing in self.scope.model_listings():
            found = False
            for page in self._pages(Entity.MODELS, listing):
                if self.coverage is None:
                    self._find_coverage(page.new_records)
                taken = self.stager.take(Entity.MODELS, page.new_records, page.again)
                rejected = set(map(id, taken.rejected))
                self._derived.add(each for each in page.new_records if id(each) not in rejected)
                found |= bool(page.new_records)
                if self.coverage is Coverage.LATEST:
                    self._take_latest_of_due(taken.identified)
            self.found_models |= found
            if not found and not self.lists_ml_repos and self.scope.ml_repos:
                self.warn(f"ML repo {dict(listing.filters)['ml_repo_id']!r} has no models, or does not exist.")
        if self.coverage is None:
            self._find_coverage(())
        self.stager.take_derived(self._derived.missing_in(self._listed, wanted=self.scope.ml_repos))
        self._compare_coverage()
        if not self.found_models and not self.scope.lists_every_model:
            self.warn("No model matches the filters of this run.")

    def _find_coverage(self, models: Sequence[Any]) -> None:
        """Find out from the first models whether versions can be listed."""
        if self.scope.versions == "latest":
            self.coverage = Coverage.LATEST
            return
        known = [each for each in models if isinstance(each, dict)]
        of_models = (identity(each.get("ml_repo_id")) for each in known)
        repos = self.scope.ml_repos or self._listed or dict.fromkeys(filter(None, of_models))
        model_id = next(filter(None, (identity(each.get("id")) for each in known)), None)
        refusal = refusal_of_versions(self.client, sorted(repos), model_id, within=bool(self.scope.ml_repos))
        self.coverage = Coverage.ALL if refusal is None else Coverage.LATEST
        if refusal is not None:
            self.why_latest = explain_refusal("model versions", refusal)
            self._missing["model versions"] = refusal

    def _compare_coverage(self) -> None:
        """Warn about missing lists in a scope's first run, or if the last complete run had them."""
        had = {
            "ML repos": self.before.lists_ml_repos,
            "model versions": Coverage.ALL in self.before.coverages,
        }
        lost = [explain_refusal(what, refusal) for what, refusal in self._missing.items() if had[what]]
        if lost and not self.accept_coverage:
            self.shrank = self.needs_acceptance = True
            self.unproven += 1
            self.warn(messages.offers_less(lost))
        elif lost or (self._missing and self.before.is_first):
            missing = "; ".join(explain_refusal(what, refusal) for what, refusal in self._missing.items())
            self.warn(f"{missing[0].upper()}{missing[1:]}. {messages.consequence(list(self._missing))}")

    def _take_latest_of_due(self, models: Sequence[IdentifiedRecord]) -> None:
        """Stage the latest versions that due models contain.

        If all versions of a model were read, and it has not changed since, the stored version says more than the
        model's copy.
        """
        latest = {each.id: each.latest_version for each in models if each.latest_version is not None}
        due = self.staging.due_among(list(latest))
        self.take_latest({model_id: each for model_id, each in latest.items() if model_id in due})

    def take_latest(self, of_models: Mapping[str, Record]) -> None:
        """Stage the latest versions that models contain, and mark the models as incomplete.

        The next run that can list versions reads theirs.
        """
        self.stager.take(Entity.MODEL_VERSIONS, list(of_models.values()))
        self.staging.mark_incomplete(sorted(of_models))

    def versions(self, plan: Plan, *, full: bool) -> bool:
        """Read versions by the plan, those of every model if `full`.

        Return whether a sweep read all versions of the scope.
        """
        if not plan.lists_versions:
            return False
        every = plan.way == "sweep" and self._sweep_versions()
        if not every:
            if full:
                self.staging.mark_all_due()
            # The control plane may require another filter than the model.
            every = self._due_versions(may_sweep=plan.way != "sweep" and self.scope.covers_every_version)
        if every:  # a latest version that the sweep did not return casts doubt on the sweep
            self.staging.mark_incomplete_without_latest()
            self._versions_of(self.staging.without_latest())
        return every

    def _due_versions(self, *, may_sweep: bool) -> bool:
        """Read the versions of the due models. Return whether a sweep read those of all models instead."""
        try:
            self._versions_of(self.staging.due())
        except RequestRefused as refusal:
            if not may_sweep or not is_withheld(refusal) or not self._sweep_versions():
                raise
            return True
        return False

    def _sweep_versions(self) -> bool:
        """Read all versions of the scope in few lists; False if the server offers no such lists."""
        if not self.scope.ml_repos and self._swept([Listing(VERSIONS)]):
            return True
        repos = self.scope.ml_repos or tuple(self.staging.seen_ids(Entity.ML_REPOS))
        read = self._swept([Listing(VERSIONS, (("ml_repo_id", repo),)) for repo in repos])
        if not read and repos:
            return False
        if len(read) < len(repos):
            allowed = [value for listing in read for _, value in listing.filters]
            self.staging.mark_incomplete(list(self.staging.models_outside(allowed)))
        # The server may list the models of an ML repo that it hides, or that cannot be read. And a version may name
        # another ML repo than its model.
        hidden = {*self.staging.models_outside(repos), *self.staging.models_with_versions_outside(repos)}
        self.staging.mark_incomplete(sorted(hidden))
        self._versions_of(iter(sorted(hidden)))
        return True

    def _swept(self, listings: Sequence[Listing]) -> list[Listing]:
        """Read lists that together contain all versions.

        Return those that the server allowed; none if it offers no such lists.
        """
        before = self.unproven
        read: list[Listing] = []
        withheld: list[tuple[Listing, Refusal]] = []
        for listing in listings:
            try:
                for page in self._pages(Entity.MODEL_VERSIONS, listing):
                    self.stager.take(Entity.MODEL_VERSIONS, page.new_records, page.again)
                read.append(listing)
            except (Forbidden, RequestRefused) as refusal:
                if not is_withheld(refusal):
                    raise
                _log.info("no list of all versions: %s", refusal)
                withheld.append((listing, refusal))
                if not isinstance(refusal, Forbidden):
                    break
        if len(read) + len(withheld) < len(listings) or not read:
            return []
        if self.unproven == before:
            self.staging.mark_all_read()
            self.staging.mark_rejected(self.stager.models_of_rejected)
        for listing, why_not in withheld:
            self._not_had(listing, why_not)
        return read

    def _versions_of(self, model_ids: Iterator[str]) -> None:
        """Read the versions of each of these models, several models at the same time."""
        listings = (Listing(VERSIONS, (("model_id", model_id),)) for model_id in model_ids)
        refused, refused_before_probe = 0, _REFUSED_IN_A_ROW
        batch = VersionBatch()
        for reading in self.reader.read_many(listings):
            model_id = dict(reading.listing.filters)["model_id"]
            try:
                for page in reading:
                    self.advance(Entity.MODEL_VERSIONS, len(page.new_records), None)
                    if not batch.has_room_for(page, self.reader.page_size):
                        self._take_versions(batch)
                    batch.add(page, model_id)
            except (RequestRefused, Forbidden) as refusal:
                if not isinstance(refusal, Forbidden | NotOffered):
                    raise
                refused += 1
                if refused >= refused_before_probe:
                    if self._are_refused_by_now(model_id):
                        break
                    refused_before_probe *= 10
                self._not_had(reading.listing, refusal)
                self.staging.mark_incomplete([model_id])
                continue
            refused = 0
            batch.ended[model_id] = self.judge(reading)
        self._take_versions(batch)

    def _are_refused_by_now(self, model_id: str) -> bool:
        """Whether the control plane has stopped listing versions; if so, warn."""
        repos = sorted(self.scope.ml_repos or self._listed)
        refusal = refusal_of_versions(self.client, repos, model_id, within=bool(self.scope.ml_repos))
        if refusal is None:
            return False
        self.coverage, self.shrank = Coverage.LATEST, True
        self.unproven += 1
        self.staging.mark_due_incomplete()
        self.warn(messages.stopped_listing_versions(refusal))
        return True

    def _take_versions(self, batch: VersionBatch) -> None:
        """Stage the batch, and mark each model whose list ended as read or incomplete."""
        rejected = self.stager.take(Entity.MODEL_VERSIONS, batch.records, batch.again).rejected
        batch.of_rejected |= {owner for record in rejected for owner in batch.owners[id(record)]}
        read = {model_id for model_id, proven in batch.ended.items() if proven}
        self.staging.mark_read(sorted(read))
        self.staging.mark_rejected(read & batch.of_rejected)
        self.staging.mark_incomplete(sorted(batch.ended.keys() - read))
        batch.clear()

    def _not_had(self, listing: Listing, refusal: Refusal) -> None:
        self.unproven += 1
        self.warn(messages.cannot_be_read(listing, refusal))

    def _pages(self, entity: Entity, listing: Listing) -> Iterator[Page]:
        reading = self.reader.read(listing)
        for page in reading:
            self.advance(entity, len(page.new_records), page.total)
            yield page
        self.judge(reading)

    def judge(self, reading: ListingRead) -> bool:
        """Note the proof of a list that was read to its end; without one, warn and return False."""
        self.reader.ignores_offset |= reading.repeats
        if reading.proof is None:
            self.unproven += 1
            self.warn(
                f"{messages.list_label(reading.listing)} {reading.why_unproven} "
                "What was read is stored, and nothing is deleted."
            )
            return False
        self.proofs.add(reading.proof)
        return True

    def warn(self, message: str) -> None:
        """Log a warning, and add it to the result unless that has too many."""
        message = escape_unprintable(self.client.redact(message))
        _log.warning(message)
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(message)
        elif len(self.warnings) == _MOST_WARNINGS:
            self.warnings.append("There were more warnings: the log has them all.")
