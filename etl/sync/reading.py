"""Which lists a run reads, in which order, and how the versions are come by."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

from etl.errors import ConfigError, RequestRefused
from etl.records import Entity, embedded_version
from etl.source import Listing, Page, Reader, Reading
from etl.store import Staging
from etl.sync.intake import Intake
from etl.sync.plan import Plan
from etl.sync.scope import Scope

_log = logging.getLogger(__name__)

# Statuses by which a server says that it does not know a listing, or wants a filter with it.
_NOT_OFFERED = frozenset({400, 404, 405, 422, 501})

Advance = Callable[[str, int, int | None], None]
"""Told of each page: which entity, how many records came, how many the list has (None where nobody says)."""


@dataclass
class Readings:
    """Reads lists into the intake and remembers what was proven."""

    reader: Reader
    intake: Intake
    staging: Staging
    scope: Scope
    advance: Advance
    proofs: set[str] = field(default_factory=set)
    unproven: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every list that was read was proven to be read in full."""
        return not self.unproven

    @property
    def proof(self) -> str | None:
        """The weakest proof that the run rests on; None when a list has none."""
        if self.unproven:
            return None
        return "confirmed" if "confirmed" in self.proofs else "anchored"

    def ml_repos(self) -> None:
        """Read all ML repos. ConfigError when one that was asked for is not among them."""
        listed: dict[str, None] = {}
        for page in self._pages("ml_repos", Listing("ml-repos")):
            self.intake.take("ml_repos", page.fresh)
            listed |= dict.fromkeys(
                str(each["id"]) for each in page.fresh if isinstance(each, dict) and "id" in each
            )
        unknown = [each for each in self.scope.ml_repos if each not in listed]
        if unknown:
            some = ", ".join(list(listed)[:10]) or "none at all"
            raise ConfigError(f"ML repo {unknown[0]!r} is not known to the control plane: it lists {some}.")

    def models(self) -> None:
        """Read every model of the scope, and keep the latest version that comes along when that is wanted."""
        for listing in self.scope.model_listings():
            for page in self._pages("models", listing):
                self.intake.take("models", page.fresh)
                if self.scope.versions == "latest":
                    latest = [embedded_version(each) for each in page.fresh if isinstance(each, dict)]
                    self.intake.take("model_versions", [each for each in latest if each is not None])

    def versions(self, plan: Plan) -> bool:
        """Read versions as planned; whether every version of the scope was read."""
        every = plan.way == "sweep" and self._sweep_versions()
        if plan.way == "sweep" and not every:
            self.staging.mark_all_due()
        if plan.way == "by model" or (plan.way == "sweep" and not every):
            self._versions_of(self.staging.due())
        elif every:
            missing = list(self.staging.without_latest())
            if missing:
                _log.info(
                    "the sweep left out the latest version of %d models: reading these by model", len(missing)
                )
                self._versions_of(iter(missing))
        return every

    def _sweep_versions(self) -> bool:
        """Read all versions of the scope in as few lists as the server offers; False when it offers none."""
        by_repo: list[str | None] = [*(self.scope.ml_repos or self.staging.seen_ids("ml_repos"))]
        ways: list[list[str | None]] = [by_repo] if self.scope.ml_repos else [[None], by_repo]
        for way in ways:
            try:
                before = len(self.unproven)
                for repo in way:
                    listing = Listing("model-versions", (("ml_repo_id", repo),) if repo is not None else ())
                    for page in self._pages("model_versions", listing):
                        self.intake.take("model_versions", page.fresh)
            except RequestRefused as error:
                if error.status not in _NOT_OFFERED:
                    raise
                _log.info(
                    "no list of versions by %s here: %s", "tenant" if way == [None] else "ML repo", error
                )
                continue
            if len(self.unproven) == before:
                self.staging.mark_all_read()
                self.staging.mark_unread(sorted(self.intake.unread_models))
            return True
        return False

    def _versions_of(self, model_ids: Iterator[str]) -> None:
        """Read the versions of each of these models."""
        listings = (Listing("model-versions", (("model_id", model_id),)) for model_id in model_ids)
        for reading in self.reader.read_many(listings):
            model_id = dict(reading.listing.filters)["model_id"]
            try:
                for page in reading:
                    self.advance("model_versions", len(page.fresh), None)
                    self.intake.take("model_versions", page.fresh)
            except RequestRefused as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                self.warn(f"Model {model_id} went away while it was read; the next run will tell.")
                continue
            if self._judge(reading) and model_id not in self.intake.unread_models:
                self.staging.mark_read([model_id])

    def _pages(self, entity: Entity, listing: Listing) -> Iterator[Page]:
        reading = self.reader.read(listing)
        for page in reading:
            self.advance(entity, len(page.fresh), page.total)
            yield page
        self._judge(reading)

    def _judge(self, reading: Reading) -> bool:
        if reading.proof is None:
            self.unproven.append(str(reading.listing))
            self.warn(
                f"{reading.listing} could not be proven complete in {reading.sweeps} sweeps: the list moves, or the "
                "server answers unsteadily. What came is stored, nothing is deleted."
            )
            return False
        self.proofs.add(reading.proof)
        return True

    def warn(self, message: str) -> None:
        """Tell it now, and in the result."""
        _log.warning(message)
        self.warnings.append(message)
