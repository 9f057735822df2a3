"""Scales the endurance tests: small in the suite, large with `make endurance`."""

import json
import os
from pathlib import Path

LOAD_FACTOR = int(os.environ.get("TFY_ETL_TEST_SCALE", "1"))
"""Factor for the number of rounds, kills and examples."""

_REPORT = os.environ.get("TFY_ETL_TEST_REPORT")


def report(of: str, **counted: object) -> None:
    """Append the counts as a JSON line to the file in TFY_ETL_TEST_REPORT, or print them."""
    line = json.dumps({"of": of} | counted)
    if _REPORT:
        with Path(_REPORT).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    else:
        print(line)  # noqa: T201 pytest shows it with -rA
