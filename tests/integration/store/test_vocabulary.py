from typing import Any

import pytest

from etl.errors import ConfigError
from etl.models import MetricDirection, MetricWord, ProductionWord, views
from etl.settings import Settings
from etl.store import Vocabulary, engine_scope, schema
from etl.store.vocabulary import HIGHER_IS_BETTER, LOWER_IS_BETTER, PRODUCTION_WORDS, metric_direction
from tests.support.sync_env import SyncEnv, sync_env

DEFAULTS = dict.fromkeys(LOWER_IS_BETTER, "lower") | dict.fromkeys(HIGHER_IS_BETTER, "higher")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("loss", "lower"),
        ("val/loss", "lower"),
        ("valLoss", "lower"),
        ("eval.perplexity", "lower"),
        ("p99_latency-ms", "lower"),
        ("val/auc", "higher"),
        ("F1", "higher"),
        ("f1Score", "higher"),
        ("accuracy@5", "higher"),
        ("rougeL", "higher"),
        ("hit_rate", "higher"),
        ("false_positive_rate", "lower"),
        ("accuracy_loss", "lower"),
        ("f1_score_loss", "lower"),
        ("loss/accuracy", "higher"),
        ("neg_log_loss", "higher"),
        ("neg_mean_squared_error", "higher"),
        ("negative_accuracy", "lower"),
        ("false_negative_rate", "lower"),
        ("mIoU", "higher"),
        ("nDCG@10", "higher"),
        ("glossary", None),
        ("epoch", None),
        ("", None),
        ("␛0000loss", None),
    ],
)
def test_parts_of_a_metric_name_determine_which_values_are_better(key: str, expected: str | None) -> None:
    assert metric_direction(key, DEFAULTS) == expected


def test_the_longest_word_decides_and_words_of_one_length_that_disagree_decide_nothing() -> None:
    words = {"loss": "lower", "gain": "higher", "loss_gain": "higher"}

    assert metric_direction("loss_gain", words) == "higher"
    assert metric_direction("gain_of_loss_now", words) is None


def directions(env: SyncEnv) -> dict[str, str | None]:
    return {row["key"]: row["better"] for row in env.rows(MetricDirection)}


def words(env: SyncEnv, table: Any) -> set[str]:
    return {row["word"] for row in env.rows(table)}


def test_run_stores_new_metrics_and_a_setting_changes_the_direction_of_all(env: SyncEnv) -> None:
    version = env.registry.ids("model-versions")[0]
    for key in ("val/loss", "churn", "odd␛\0"):
        env.registry.add_metric(version, key, 1.0)
    env.sync()
    found = directions(env)
    assert (found["val/loss"], found["churn"], found["odd␛\0"]) == ("lower", None, None)
    assert found.keys() == {row["key"] for row in env.rows(views.latest_metrics)}

    env.registry.add_metric(version, "spend", 1.0)
    env.sync(lower_is_better="churn, spend", higher_is_better="loss")
    found = directions(env)
    assert (found["val/loss"], found["churn"], found["spend"]) == ("higher", "lower", "lower")
    assert words(env, MetricWord) == DEFAULTS.keys() | {"churn", "spend"}

    before = env.registry_dump()
    env.sync(lower_is_better="churn, spend", higher_is_better="loss")
    env.sync()
    assert env.registry_dump() == before

    env.sync(higher_is_better="spend")  # the other words are kept
    found = directions(env)
    assert (found["val/loss"], found["churn"], found["spend"]) == ("lower", "lower", "higher")


def test_an_upgrade_writes_default_words_once_and_then_those_of_settings(database_url: str) -> None:
    with sync_env(database_url) as env, engine_scope(database_url) as engine:
        schema.upgrade(engine)
        assert words(env, ProductionWord) == set(PRODUCTION_WORDS)
        assert words(env, MetricWord) == DEFAULTS.keys()
        schema.upgrade(engine, words=Vocabulary(production=("Serving", "env=Live")))
        assert words(env, ProductionWord) == {"serving", "env:live"}
        before = env.dump()
        schema.upgrade(engine)
        schema.upgrade(engine, words=Vocabulary(production=("serving", "env:live")))
        assert env.dump() == before


@pytest.mark.parametrize("name", ["production_tags", "lower_is_better", "higher_is_better"])
def test_a_list_without_a_word_is_refused(name: str) -> None:
    empty: dict[str, Any] = {name: " , "}
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')} names no word"):
        Settings(**empty).words()
