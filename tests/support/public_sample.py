"""The sample response of `GET /api/ml/v1/models` in TrueFoundry's public API reference, unchanged."""

from typing import Any

SUBJECT = {
    "subjectId": "<string>",
    "subjectType": "user",
    "subjectSlug": "<string>",
    "subjectDisplayName": "<string>",
}
SAMPLE: dict[str, Any] = {
    "data": [
        {
            "id": "<string>",
            "ml_repo_id": "<string>",
            "name": "<string>",
            "fqn": "<string>",
            "created_by_subject": SUBJECT,
            "type": "model",
            "created_at": "2023-11-07T05:31:56Z",
            "updated_at": "2023-11-07T05:31:56Z",
            "latest_version": {
                "id": "<string>",
                "fqn": "<string>",
                "created_by_subject": SUBJECT,
                "manifest": {
                    "name": "<string>",
                    "metadata": {},
                    "ml_repo": "<string>",
                    "source": {"type": "truefoundry", "uri": "<string>"},
                    "description": "<string>",
                    "version_alias": "<string>",
                    "version": 2,
                    "type": "model-version",
                    "framework": {
                        "type": "transformers",
                        "library_name": "transformers",
                        "pipeline_tag": "<string>",
                        "base_model": "<string>",
                    },
                    "environment": {"python_version": "<string>", "pip_packages": ["<string>"]},
                    "step": 0,
                    "run_id": "<string>",
                },
                "ml_repo_id": "<string>",
                "model_id": "<string>",
                "created_at": "2023-11-07T05:31:56Z",
                "updated_at": "2023-11-07T05:31:56Z",
                "usage_code_snippet": "<string>",
                "tags": ["<string>"],
                "metrics": [{"key": "<string>", "value": 123, "timestamp": 123, "step": 0}],
                "deployable": False,
            },
            "run_steps": [123],
        }
    ],
    "pagination": {"total": 100, "offset": 0, "limit": 10},
}
