"""SQLAlchemy mappings of all tables and views: registry tables, bookkeeping tables and views.

Use them for reading only: the sync writes these tables. `etl.models.registry` describes how relationships load;
docs/how-to/analysts/orm.md has examples.
"""

from etl.models import views
from etl.models.base import VERSION_TABLE, Base
from etl.models.bookkeeping import (
    Change,
    PrunedHistory,
    RejectedRecord,
    SyncRun,
    SyncRunCount,
    SyncScope,
    VersionReadState,
)
from etl.models.registry import MlRepo, Model, ModelVersion, Subject
from etl.models.registry_lists import ModelRunStep, ModelVersionMetric, ModelVersionPackage, ModelVersionTag
from etl.models.vocabulary import MetricDirection, MetricWord, ProductionWord

__all__ = [
    "VERSION_TABLE",
    "Base",
    "Change",
    "MetricDirection",
    "MetricWord",
    "MlRepo",
    "Model",
    "ModelRunStep",
    "ModelVersion",
    "ModelVersionMetric",
    "ModelVersionPackage",
    "ModelVersionTag",
    "ProductionWord",
    "PrunedHistory",
    "RejectedRecord",
    "Subject",
    "SyncRun",
    "SyncRunCount",
    "SyncScope",
    "VersionReadState",
    "views",
]
