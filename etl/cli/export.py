"""`tfy-etl export`: write tables and views to files, and print a summary as text or JSON."""

import json
from pathlib import Path
from typing import Any

import click

from etl.cli.output import print_result
from etl.export import export
from etl.settings import Settings


def export_command(settings: Settings, folder: Path, format: str, output: str, **how: Any) -> None:
    """Write the files, and print their contents; `how` are arguments of `export`."""
    manifest = export(settings.database(), folder, format, **how)
    print_result(lambda: _print(manifest, folder, as_json=output == "json"), work_done=True)


def _print(manifest: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(manifest))
        return
    for file in manifest["files"]:
        for table in file["tables"]:
            click.echo(f"{table['table']:<24} {table['rows']:>10}")
    size = sum(file["bytes"] for file in manifest["files"])
    click.echo(f"{folder}: {manifest['format']}, {size / 1e6:.1f} MB, as of {manifest['exported_at']}; {_of(manifest)}")


def _of(manifest: dict[str, Any]) -> str:
    run = manifest["last_complete_run"]
    return f"the last complete run is {run['id']}" if run else "there is no complete run yet"
