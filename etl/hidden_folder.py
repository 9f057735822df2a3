"""Explains a failed import from a folder `etl` of the user's own, which this package hides.

Airflow appends the folders of DAGs, plugins and configuration to the path, so that installed packages come first.
"""

import os.path
import sys


class HiddenFolderFinder:
    """The last finder: Python asks it for modules of `etl` that this package does not have."""

    @staticmethod
    def find_spec(fullname: str, _path: object = None, _target: object = None) -> None:
        """Raise ModuleNotFoundError if a folder `etl` on the path has the module."""
        package, _, name = fullname.partition(".")
        if package != __package__ or "." in name or not name:
            return
        own = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100 PTH120 pathlib is slow to import
        for entry in sys.path:
            folder = os.path.join(os.path.abspath(entry), package)  # noqa: PTH100 PTH118 the same
            module = os.path.join(folder, name)  # noqa: PTH118 the same
            if folder != own and (os.path.isdir(module) or os.path.isfile(f"{module}.py")):  # noqa: PTH112 PTH113
                raise ModuleNotFoundError(
                    f"No module named {fullname!r}: the package tfy-etl, in {own}, hides your folder {folder}. Rename "
                    "your folder, or install tfy-etl into an environment of its own and run it from there.",
                    name=fullname,
                )


def install() -> None:
    """Add the finder after all others, once."""
    if HiddenFolderFinder not in sys.meta_path:
        sys.meta_path.append(HiddenFolderFinder)
