"""Generate the comparison of the DAG with one sync in docs/explanation/performance.md from bench/results."""

from performance_tables import Result, load_result, table

_FIRST = "first load"


def data() -> str:
    """What was read, and by how many workers."""
    result = load_result("airflow_celery")
    counts = result["data"]
    return (
        f"{counts['ml_repos']:,} ML repos of {counts['models_each']:,} models: {counts['model_versions']:,} versions, "
        f"{counts['metrics']:,} metrics. Celery has {result['workers']} workers, with one task each at a time."
    )


def comparison() -> str:
    """One sync and each DAG, in a first load and with nothing new."""
    head = (
        "run", "as", "sync tasks", "wall s", "CPU s", "PostgreSQL CPU s", "requests", "most connections",
        "merging s", "waiting for merges s", "cores of other programs",
    )  # fmt: skip
    return table(head, map(_row, _by_run(load_result("airflow_celery"))))


def _row(each: Result) -> tuple[object, ...]:
    size = each.get("repos_per_task")
    server_cpu = each["server_cpu"] + each.get("metadata_cpu", 0.0)
    return (
        each["run"],
        f"`{each['how']}`" if each["how"] != "DAG" else f"DAG, `repos_per_task={size}`" if size else "DAG",
        each.get("sync_tasks", ""),
        f"{each['wall']:.0f}",
        f"{each['cpu']:.0f}",
        f"{server_cpu:.0f}",
        f"{each['requests']:,}",
        each["most_connections"],
        f"{each['merging_s']:.1f}",
        f"{each['waiting_s']:.1f}",
        f"{each['cpu_of_others_per_s']:.1f}",
    )


def bound() -> str:
    """For each run of a DAG, the number of workers at which the merge lock limits it, and that limit."""
    result = load_result("airflow_celery")
    thousands = result["data"]["model_versions"] / 1000
    rows = (
        (
            each["run"],
            each["sync_tasks"],
            f"{_work(each) / each['sync_tasks']:.1f}",
            f"{each['merging_s'] / each['sync_tasks']:.2f}",
            f"{each['merging_s'] / thousands:.2f}" if each["run"] == _FIRST else "",
            f"{_work(each) / each['merging_s']:.0f}" if each["merging_s"] else "none seen",
            f"{each['merging_s']:.0f}",
        )
        for each in _by_run(result)
        if each["how"] == "DAG"
    )
    head = (
        "run", "sync tasks", "s for each task", "of it merging", "merging s for 1,000 versions",
        "workers at the bound", "wall s at the bound",
    )  # fmt: skip
    return table(head, rows)


def _by_run(result: Result) -> list[Result]:
    return sorted(result["runs"], key=lambda each: str(each["run"]))


def _work(each: Result) -> float:
    """The seconds of all sync tasks, without those in which they waited for each other."""
    return float(each["task_seconds"]["sync"] - each["waiting_s"])
