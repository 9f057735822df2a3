"""A registry with names that people recognise, and a day of work in it, for the demonstration.

Its models grew over the last months, so that a report about it has something to show.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.simulator.registry import Registry
from etl.simulator.stored_record import ML_REPOS, MODEL_VERSIONS

_MODELS = {
    "risk": ("fraud-scorer", "credit-scorer", "claims-triage", "chargeback-predictor", "identity-matcher"),
    "growth": ("churn-predictor", "lead-scorer", "lifetime-value", "offer-ranker", "send-time-optimizer"),
    "operations": ("demand-forecast", "delivery-eta", "route-planner", "returns-predictor", "legacy-rules"),
    "search": ("product-ranker", "query-classifier", "image-embedder", "spelling-corrector"),
    "support": ("ticket-router", "intent-classifier", "answer-summarizer", "sentiment-classifier"),
}
_METADATA: dict[str, dict[str, Any]] = {
    "risk": {"team": "trust", "pii": True},
    "growth": {"team": "marketing", "pii": True},
    "operations": {"team": "logistics", "pii": False},
    "search": {"team": "discovery", "pii": False},
    "support": {"team": "care", "pii": True},
}
_FORECASTS = {"demand-forecast", "delivery-eta", "lifetime-value"}
_ROUNDS = 5
_NEW_IN_A_ROUND = 9
_BETWEEN_ROUNDS = timedelta(weeks=5)


class _Calendar:
    """A clock that moves by two minutes at each reading, and that can be set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=2)
        return self.now


class Showcase:
    """The registry, and changes to it that a demonstration announces."""

    def __init__(self, today: datetime | None = None) -> None:
        """`today` is the present by default: the last versions are a few days older."""
        self._today = today or datetime.now(UTC)
        self._calendar = _Calendar(self._today)
        self.registry = Registry(seed=7, tags=(), clock=self._calendar)
        self._models: dict[str, str] = {}
        self._repos: dict[str, str] = {}
        self._versions: defaultdict[str, list[str]] = defaultdict(list)
        for number in range(_ROUNDS):
            self._calendar.now = self._today - timedelta(days=4) - (_ROUNDS - 1 - number) * _BETWEEN_ROUNDS
            self._train(number)
        self._label()

    def simulate_day(self) -> list[str]:
        """Change the registry as a team does in a day; return a line for each change."""
        self._calendar.now = self._today - timedelta(hours=2)
        registry = self.registry
        # As on some control planes, the tags do not touch updated_at: only a comparison of content finds them.
        *_, before, latest = self._versions["fraud-scorer"]
        registry.set_tags(before, None, touch=False)
        registry.set_tags(latest, ["production"], touch=False)
        self._add_version("churn-predictor")
        forecast = self._versions["demand-forecast"][-1]
        wrong, *others = registry.get(MODEL_VERSIONS, forecast)["metrics"]
        registry.set_fields(forecast, {"metrics": [wrong | {"value": 0.104}, *others]})
        registry.set_description(self._versions["product-ranker"][-1], "Ranks by margin as well as by clicks.")
        registry.delete_model(self._models["legacy-rules"])
        self._add_model("growth", "basket-recommender")
        self._add_version("basket-recommender")
        return [
            "The newest version of fraud-scorer goes to production, without a new updated_at.",
            "churn-predictor gets a new version.",
            "The evaluation of demand-forecast is corrected.",
            "product-ranker gets a new description.",
            "legacy-rules is deleted.",
            "basket-recommender is created.",
        ]

    def _train(self, number: int) -> None:
        """Add some models, from each ML repo in turn, and then a version of every model."""
        if number == 0:
            for repo in _MODELS:
                self.registry.add_ml_repo(repo)
        in_turn = sorted((names.index(name), repo, name) for repo, names in _MODELS.items() for name in names)
        for _, repo, name in in_turn[number * _NEW_IN_A_ROUND : (number + 1) * _NEW_IN_A_ROUND]:
            self._add_model(repo, name)
        for name in self._models:
            self._add_version(name)

    def _add_model(self, repo: str, name: str) -> None:
        repo_id = self.registry.ids(ML_REPOS)[list(_MODELS).index(repo)]
        self._models[name] = self.registry.add_model(repo_id, name)
        self._repos[name] = repo

    def _add_version(self, name: str) -> None:
        """Add a version that predicts a little better than the one before."""
        version = self.registry.add_version(self._models[name], metrics=0)
        self._versions[name].append(version)
        manifest = self.registry.get(MODEL_VERSIONS, version)["manifest"]
        own = {"metadata": manifest["metadata"] | _METADATA[self._repos[name]]}
        self.registry.set_fields(version, {"manifest": manifest | own}, touch=False)
        number = len(self._versions[name])
        key, value = ("mape", 0.173 - 0.011 * number) if name in _FORECASTS else ("auc", 0.79 + 0.02 * number)
        # Each fifth model becomes slower, the others faster.
        latency = 40.0 + (3.0 if list(self._models).index(name) % 5 == 0 else -2.5) * number
        for metric, measured in ((key, round(value, 3)), ("latency_ms", latency)):
            self.registry.add_metric(version, metric, measured, touch=False)

    def _label(self) -> None:
        """Tag the version before the newest of most models as in production, and some newest ones as candidates."""
        for place, versions in enumerate(self._versions.values()):
            self.registry.set_tags(versions[-2], ["production"] if place % 4 != 1 else None)
            self.registry.set_tags(versions[-1], ["candidate"] if (place + 1) % 3 == 0 else None)
