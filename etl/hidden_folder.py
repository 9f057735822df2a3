"""Explains a failed import from a folder `etl` of the user's own, which this package hides.

Airflow appends the folders of DAGs, plugins and configuration to the path, so that installed packages come first.
"""

import os.path
import sys

_PACKAGE = "etl"
_OWN = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100 PTH120 pathlib is slow to import


class HiddenFolderFinder:
    """The last finder: Python asks it for modules of `etl` that this package does not have."""

    @staticmethod
    def find_spec(fullname: str, _path: object = None, _target: object = None) -> None:
        """Raise ModuleNotFoundError if a folder `etl` on the path has the module."""
        package, _, name = fullname.partition(".")
        if package == _PACKAGE and name and "." not in name:
            explain(name)


def explain(name: str) -> None:
    """Raise ModuleNotFoundError if a folder `etl` on the path has a module of this name, and this package has none."""
    if _has_module(_OWN, name):
        return
    for entry in sys.path:
        folder = os.path.join(os.path.abspath(entry), _PACKAGE)  # noqa: PTH100 PTH118 the same
        if _has_module(folder, name):
            raise ModuleNotFoundError(
                f"No module named '{_PACKAGE}.{name}': the package tfy-etl, in {_OWN}, hides your folder {folder}. "
                "Rename your folder, or install tfy-etl into an environment of its own and run it from there.",
                name=f"{_PACKAGE}.{name}",
            )


def _has_module(folder: str, name: str) -> bool:
    module = os.path.join(folder, name)  # noqa: PTH118 the same
    return os.path.isdir(module) or os.path.isfile(f"{module}.py")  # noqa: PTH112 PTH113 the same


def install() -> None:
    """Add the finder after all others, once."""
    if HiddenFolderFinder not in sys.meta_path:
        sys.meta_path.append(HiddenFolderFinder)
