"""Read models again whose latest version no list of versions returned.

Either a list of versions hides it, or the model changed while the run read its versions.
"""

from etl.enums import Entity
from etl.records import embedded_version, identity
from etl.source import Page
from etl.sync import messages
from etl.sync.extract import Extraction
from etl.sync.plan import Plan


def read_models_again(extraction: Extraction, plan: Plan) -> None:
    """Stage the latest versions that the models contain now, unless a list has returned them.

    Do nothing if no list of versions was read, or if each model's latest version was returned.

    If a model no longer exists, or a list has returned the version that is its latest now, its list of versions is
    right. If its latest version is another that no list has returned, the run is partial: its list may be outdated. If
    it is the same as before, its list hides it: then the run deletes none of its versions, and warns.
    """
    if not plan.lists_versions or not extraction.staging.any_lacks_latest():
        return
    changed, hidden = 0, 0
    for listing in extraction.scope.model_listings():
        reading = extraction.reader.read(listing, again=True)
        for page in reading:
            extraction.advance(Entity.MODELS, 0, page.total)
            changed_in_page, hidden_in_page = _stage_missing(extraction, page)
            changed += changed_in_page
            hidden += hidden_in_page
        if not extraction.judge(reading):
            extraction.staging.unmark_read_without_latest()
    if hidden:
        extraction.warn(messages.latest_versions_not_listed(hidden))
    if changed:
        extraction.unproven += 1
        extraction.warn(messages.models_keep_changing(changed))


def _stage_missing(extraction: Extraction, page: Page) -> tuple[int, int]:
    """Stage the latest versions of a page of models that no list has returned.

    Return the number of models with another latest version than before, and of those whose own list hides it.
    """
    staging = extraction.staging
    models = [each for each in page.new_records if isinstance(each, dict)]
    versions = {identity(each.get("id")) or "": embedded_version(each) for each in models}
    # A version that names another model says nothing about the list of this one.
    latest = {model_id: each for model_id, each in versions.items() if each and identity(each["model_id"]) == model_id}
    now = {model_id: identity(version["id"]) or "" for model_id, version in latest.items()}
    before = staging.lacking_latest(list(now))
    known = staging.known(Entity.MODEL_VERSIONS, list(now.values()))
    missing = [model_id for model_id in before if known[now[model_id]].seen_hash is None]
    extraction.take_latest({model_id: latest[model_id] for model_id in missing})
    unchanged = [before[model_id] for model_id in missing if before[model_id].version_id == now[model_id]]
    return len(missing) - len(unchanged), sum(each.was_read for each in unchanged)
