"""Build records as a control plane sends them, with a default for every field; None leaves a null."""

from typing import Any

Record = dict[str, Any]


def a_subject(**changes: Any) -> Record:
    return {
        "subjectId": "user-1",
        "subjectType": "user",
        "subjectSlug": "ada@example.com",
        "subjectDisplayName": "Ada",
        "subjectPatName": None,
    } | changes


def an_ml_repo(**changes: Any) -> Record:
    return {
        "id": "12",
        "tenant_name": "acme",
        "manifest": {
            "name": "churn",
            "description": "who leaves",
            "storage_integration_fqn": "acme:s3",
            "collaborators": [{"subject": "team:ml", "role_id": "admin"}],
        },
        "created_by_subject": a_subject(),
        "created_at": "2024-05-01T10:00:00.000Z",
        "account_id": "a-1",
        "num_runs": 7,
    } | changes


def a_model(**changes: Any) -> Record:
    return {
        "id": "m-1",
        "ml_repo_id": "12",
        "name": "churn",
        "fqn": "model:acme/churn/churn",
        "type": "model",
        "created_by_subject": a_subject(),
        "created_at": "2024-05-01T10:00:00.000Z",
        "updated_at": "2024-05-02T10:00:00.000Z",
        "latest_version": a_version(),
        "run_steps": [1, 2],
    } | changes


def a_manifest(**changes: Any) -> Record:
    return {
        "type": "model-version",
        "name": "churn",
        "ml_repo": "churn",
        "version": 3,
        "metadata": {"accuracy": 0.93, ".truefoundry": {"artifact_size": 1024}},
        "description": "a tree",
        "version_alias": "v3-best",
        "source": {"type": "truefoundry", "uri": "mlfoundry-artifacts:/acme/churn"},
        "framework": {"type": "transformers", "library_name": "transformers", "pipeline_tag": "fill-mask"},
        "environment": {"python_version": "3.11", "pip_packages": ["Scikit_Learn>=1.4,<2", "numpy"]},
        "step": 5,
        "run_id": "run-1",
    } | changes


def a_metric(**changes: Any) -> Record:
    return {"key": "loss", "value": 0.25, "timestamp": 1714557600000, "step": 1} | changes


def a_version(**changes: Any) -> Record:
    return {
        "id": "v-3",
        "fqn": "model:acme/churn/churn:3",
        "model_id": "m-1",
        "ml_repo_id": "12",
        "created_by_subject": a_subject(),
        "created_at": "2024-05-01T10:00:00.000Z",
        "updated_at": "2024-05-02T10:00:00.000Z",
        "manifest": a_manifest(),
        "usage_code_snippet": "import truefoundry",
        "tags": ["champion", "prod"],
        "metrics": [a_metric()],
        "deployable": True,
    } | changes
