"""Read the versions of models that no list of models had.

A sweep of versions may return versions of a model that was added after the models were read. If the model is deleted
before the next run, no list of models ever has it, and nothing else shows that its versions are deleted.
"""

import logging

from etl.enums import Coverage, Entity
from etl.errors import RequestRefused
from etl.source import Forbidden, Listing
from etl.source.list_availability import VERSIONS
from etl.store import reconcile
from etl.sync.context import Context
from etl.sync.extract import Extraction

_MOST = 100
"""Models that a run asks for at most. The next full comparison compares the versions of all others."""

_log = logging.getLogger(__name__)


def read_versions(context: Context, extraction: Extraction, *, every_version_read: bool) -> None:
    """Read the versions of unlisted models that were stored in or after the last full comparison.

    Do nothing if every version was read, or if the run deletes nothing anyway.

    A model whose versions were there before is hidden from lists, and stays as it is until the next full comparison. If
    the control plane refuses the request, the versions stay too.
    """
    deletes = extraction.complete and context.scope.lists_every_model and not context.settings.no_delete
    if every_version_read or not deletes or extraction.coverage is not Coverage.ALL:
        return
    since = context.state.last_full_at if context.why_full is None else None
    ids = reconcile.unlisted_models(context.store.connection, context.scope.repos, since=since, most=_MOST)
    for reading in extraction.reader.read_many(Listing(VERSIONS, (("model_id", each),)) for each in ids):
        model_id = dict(reading.listing.filters)["model_id"]
        try:
            for page in reading:
                extraction.advance(Entity.MODEL_VERSIONS, len(page.new_records), None)
                extraction.stager.take(Entity.MODEL_VERSIONS, page.new_records, page.again)
        except (Forbidden, RequestRefused) as refusal:
            _log.info("the versions of model %r, which is not listed, cannot be read: %s", model_id, refusal)
            continue
        if reading.proof is not None:
            extraction.staging.mark_read([model_id])
