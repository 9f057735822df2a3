"""Synthetic records of a registry: the same seed creates the same records, field for field."""

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Record = dict[str, Any]

_START = datetime(2024, 3, 4, 9, 0, tzinfo=UTC)
_TICK = timedelta(seconds=7, microseconds=1009)

TAGS = ("prod", "staging", "candidate", "baseline", "Prod", "needs-review")

_DOMAINS = (
    "fraud", "churn", "demand", "credit", "search", "returns", "pricing", "support", "catalogue", "delivery",
    "invoice", "sentiment", "claims", "inventory", "loyalty",
)  # fmt: skip
_TASKS = (
    "scorer", "ranker", "forecaster", "classifier", "embedder", "detector", "recommender", "router",
    "extractor", "summarizer", "matcher",
)  # fmt: skip
_REPOS = ("risk", "marketing", "search-and-ads", "operations", "language", "vision", "research")

_LIBRARIES = {
    "transformers": ("transformers", "4.44.2"),
    "sklearn": ("scikit-learn", "1.5.1"),
    "xgboost": ("xgboost", "2.1.1"),
    "tensorflow": ("tensorflow", "2.17.0"),
    "pytorch": ("torch", "2.4.0"),
    "keras": ("keras", "3.5.0"),
    "lightgbm": ("lightgbm", "4.5.0"),
    "fastai": ("fastai", "2.7.17"),
    "h2o": ("h2o", "3.46.0.5"),
    "onnx": ("onnx", "1.16.2"),
    "spacy": ("spacy", "3.7.6"),
    "statsmodels": ("statsmodels", "0.14.2"),
    "gluon": ("mxnet", "1.9.1"),
    "paddle": ("paddlepaddle", "2.6.1"),
}
FRAMEWORKS = (*_LIBRARIES, None)
"""All framework types of the source, and no framework."""

_TRANSFORMERS = (
    ("transformers", "text-classification", "distilbert-base-uncased"),
    ("sentence-transformers", "sentence-similarity", "all-MiniLM-L6-v2"),
    ("diffusers", "text-to-image", "stable-diffusion-v1-5"),
    (None, "text-generation", None),
)
_SCHEMA = {
    "infer_method_name": "predict",
    "inputs": [{"name": "amount", "type": "float"}, {"name": "country", "type": "string"}],
    "outputs": [{"name": "score", "type": "float"}],
}
_METRIC_KEYS = ("train/loss", "val/loss", "val/accuracy", "val/auc")
_NULL_SHARE = 0.01
_OTHER_SUBJECTS = (
    "virtualaccount", "serviceaccount", "team", "role", "agent-identity", "agent", "agent-channel-identity",
    "external-identity",
)  # fmt: skip
_PEOPLE = ("ada", "grace", "alan", "edsger", "barbara", "donald", "katherine")


def logical_clock(start: datetime = _START, tick: timedelta = _TICK) -> Callable[[], datetime]:
    """Return a clock that advances by one tick each time it is read."""
    ticks = itertools.count()
    return lambda: start + tick * next(ticks)


def format_time(at: datetime) -> str:
    """Format a time as the source does."""
    return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def metric(key: str, value: float | None, at: datetime, step: float | None) -> Record:
    """Create a logged value; its time is in epoch milliseconds."""
    return {"key": key, "value": value, "timestamp": int(at.timestamp() * 1000), "step": step}


def subjects(tenant: str) -> tuple[Record, ...]:
    """Create the subjects of a tenant: a few people, and one of each other type."""
    people = [_subject("user", f"user-{name}", f"{name}@{tenant}.example") for name in _PEOPLE]
    others = [_subject(kind, f"{kind}-1", f"{kind}-{tenant}") for kind in _OTHER_SUBJECTS]
    for name, person in zip(_PEOPLE, people, strict=True):
        person["subjectDisplayName"] = name.title()
    people[0]["subjectPatName"] = "laptop"
    others[0]["subjectControllerName"] = "ci-pipeline"
    others[-1]["subjectExternalIdentitySlug"] = f"okta:00u1:partner@{tenant}.example"
    return (*people, *others)


def _subject(kind: str, id: str, slug: str) -> Record:
    return {"subjectId": id, "subjectType": kind, "subjectSlug": slug, "subjectDisplayName": None}


class RecordFactory:
    """Creates records; each depends only on the seed and on the earlier calls."""

    def __init__(self, seed: int, tenant: str, tags: tuple[str, ...] = TAGS) -> None:
        self.tenant = tenant
        self._random = random.Random(seed)  # noqa: S311 (synthetic data)
        self._subjects = subjects(tenant)
        self._tags = tags

    def repo_name(self, number: int) -> str:
        """Return the name of the nth ML repo."""
        return _numbered(_REPOS, number)

    def model_name(self, number: int) -> str:
        """Return the name of the nth model: a domain and a task, with a number when names repeat."""
        count = len(_DOMAINS) * len(_TASKS)
        # 7 and the count have no common factor, so that each pair is used once before any repeats.
        place = number * 7 % count
        name = f"{_DOMAINS[place % len(_DOMAINS)]}-{_TASKS[place // len(_DOMAINS)]}"
        return name if number < count else f"{name}-{number // count + 1}"

    def ml_repo(self, id: str, name: str, at: datetime) -> Record:
        """Create an ML repo as `/ml-repos` returns it: without `updated_at` or fqn."""
        return {
            "id": id,
            "tenant_name": self.tenant,
            "account_id": f"account-{self.tenant}",
            "manifest": {
                "type": "ml-repo",
                "name": name,
                "description": f"Models of the {name} team.",
                "storage_integration_fqn": f"{self.tenant}:aws:{self.tenant}:blob-storage:{name}",
                "collaborators": [
                    {"subject": f"user:ada@{self.tenant}.example", "role_id": "mlf-project-admin"},
                    {"subject": f"team:{name}", "role_id": "mlf-project-editor"},
                ],
            },
            "created_by_subject": self._someone(),
            "created_at": format_time(at),
            "num_runs": self._random.randrange(500),
            "datasets_count": self._random.randrange(9),
        }

    def model(self, ml_repo: Record, name: str, at: datetime) -> Record:
        """Create a model without versions; the registry adds its `latest_version`."""
        return {
            "id": self._new_id(),
            "ml_repo_id": ml_repo["id"],
            "type": "model",
            "name": name,
            "fqn": f"model:{self.tenant}/{ml_repo['manifest']['name']}/{name}",
            "created_by_subject": self._someone(),
            "created_at": format_time(at),
            "updated_at": None,
            "run_steps": [],
        }

    def version(self, model: Record, number: int, at: datetime, metrics: int) -> Record:
        """Create a version of a model, with this number of metrics."""
        framework = self._framework()
        subject = self._someone()
        from_run = self._random.choice((True, False))
        return {
            "id": self._new_id(),
            "fqn": f"{model['fqn']}:{number}",
            "model_id": model["id"],
            "ml_repo_id": model["ml_repo_id"],
            "created_by_subject": subject,
            "created_at": format_time(at),
            "updated_at": format_time(at),
            "manifest": {
                "type": "model-version",
                "name": model["name"],
                "ml_repo": model["fqn"].split("/")[1],
                "version": number,
                "metadata": self._metadata(number, subject),
                "description": f"Trained on week {number}." if number % 3 else None,
                "version_alias": f"v{number}.0" if number % 2 else None,
                "source": self._source(model, number),
                "framework": framework,
                "environment": self._environment(framework),
                "step": number * 100 if from_run else 0,
                "run_id": self._new_id() if from_run else None,
            },
            "usage_code_snippet": _snippet(f"{model['fqn']}:{number}"),
            "tags": self._some_tags(),
            "metrics": self._metrics(metrics, at, whole_steps=number % 2 == 0),
            "deployable": framework is not None,
        }

    def _new_id(self) -> str:
        return f"{self._random.getrandbits(96):024x}"

    def _someone(self) -> Record:
        return self._random.choice(self._subjects)

    def _framework(self) -> Record | None:
        kind = self._random.choice(FRAMEWORKS)
        if kind is None:
            return None
        if kind == "transformers":
            library, pipeline, base = self._random.choice(_TRANSFORMERS)
            return {"type": kind, "library_name": library, "pipeline_tag": pipeline, "base_model": base}
        if kind in {"sklearn", "xgboost"}:
            return {
                "type": kind,
                "model_filepath": "model.joblib",
                "serialization_format": "joblib",
                "model_schema": self._random.choice((_SCHEMA, None)),
            }
        return {"type": kind}

    def _environment(self, framework: Record | None) -> Record | None:
        if framework is None:
            return None
        name, release = _LIBRARIES[framework["type"]]
        packages = [f"{name}=={release}", "numpy>=1.26,<3", "pandas[parquet]~=2.2", "Typing_Extensions"]
        return {"python_version": self._random.choice(("3.10", "3.11", "3.12")), "pip_packages": packages}

    def _metadata(self, number: int, subject: Record) -> Record:
        draw = self._random
        return {
            "dataset": {
                "name": "transactions",
                "rows": draw.randrange(10**6),
                "columns": ["amount", "country"],
            },
            "quality": draw.choice(("good", "fair", None)),
            "rating": number + 0.5,
            ".truefoundry": {"artifact_size": draw.randrange(10**10), "created_by": subject["subjectSlug"]},
        }

    def _source(self, model: Record, number: int) -> Record:
        kind = self._random.choice(("truefoundry", "truefoundry", "external", "local"))
        if kind == "local":
            return {"type": kind, "file_or_folder": f"./out/{model['name']}"}
        bucket = "mlfoundry-artifacts" if kind == "truefoundry" else "own-bucket"
        return {"type": kind, "uri": f"s3://{bucket}/{self.tenant}/{model['id']}/{number}/files"}

    def _some_tags(self) -> list[str] | None:
        count = self._random.choice((0, 0, 1, 1, 2, None))
        return None if count is None else self._random.sample(self._tags, min(count, len(self._tags)))

    def _metrics(self, count: int, at: datetime, *, whole_steps: bool) -> list[Record] | None:
        draw = self._random.random
        made = []
        for place in range(count):
            epoch, key = divmod(place, len(_METRIC_KEYS))
            value = None if draw() < _NULL_SHARE else round(draw(), 6)
            # The source types a step as a float: both 100.0 and 100 occur.
            step = epoch * 100 if whole_steps else epoch * 100.0
            made.append(metric(_METRIC_KEYS[key], value, at + timedelta(milliseconds=place), step))
        return made or None


def _numbered(names: tuple[str, ...], number: int) -> str:
    lap, place = divmod(number, len(names))
    return names[place] if not lap else f"{names[place]}-{lap + 1}"


def _snippet(fqn: str) -> str:
    return (
        "from truefoundry.ml import get_client\n\n"
        "client = get_client()\n"
        f'model_version = client.get_model_version_by_fqn(fqn="{fqn}")\n'
        'model_version.download(path="./model")\n'
    )
