"""How much the endurance tests take on: in the suite a little, by `make endurance` a lot."""

import json
import os
from pathlib import Path

LOAD_FACTOR = int(os.environ.get("TFY_ETL_TEST_SCALE", "1"))
"""Factor on rounds, kills and examples. Each test that uses it says what it counts."""

_REPORT = os.environ.get("TFY_ETL_TEST_REPORT")


def report(of: str, **counted: object) -> None:
    """Add what was counted to the file that TFY_ETL_TEST_REPORT names, as a line of JSON; without one, print it."""
    line = json.dumps({"of": of} | counted)
    if _REPORT:
        with Path(_REPORT).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    else:
        print(line)  # noqa: T201 pytest shows it with -rA
