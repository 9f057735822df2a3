"""Random edits as a team makes them: new versions, moved tags, other descriptions."""

import random
from typing import Any

from etl.simulator.registry import Registry
from etl.simulator.stored_record import ML_REPOS, MODEL_VERSIONS, MODELS

_TAG = "prod"


def make_edit(registry: Registry, chance: random.Random) -> None:
    """Make one random edit; the first ones of an empty registry add a model and a version."""
    versions = registry.records(MODEL_VERSIONS)
    if not registry.ids(MODELS):
        registry.add_model(registry.ids(ML_REPOS)[0])
    elif not versions or chance.randrange(3) == 0:
        registry.add_version(chance.choice(registry.ids(MODELS)))
    elif chance.randrange(2) == 0:
        _move_tag(registry, versions, chance.choice(versions))
    else:
        text = f"Evaluated again on sample {chance.randrange(1000)}."
        registry.set_description(chance.choice(versions)["id"], text)


def _move_tag(registry: Registry, versions: list[Any], to: Any) -> None:
    """Move the tag from the other versions of the model, without a new updated_at, as on some control planes."""
    for each in versions:
        tags = set(each["tags"] or ()) - {_TAG} | ({_TAG} if each is to else set())
        if each["model_id"] == to["model_id"] and tags != set(each["tags"] or ()):
            registry.set_tags(each["id"], sorted(tags), touch=False)
