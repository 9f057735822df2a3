"""Run the real command in a separate process."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.patience import patience
from tests.support.preloaded_command import Done, run_preloaded

TOKEN = "token-that-nobody-may-see"
COMMAND = str(Path(sys.executable).with_name("tfy-etl"))

# A run that fails with an unexpected error.
FAULTY = """
import sys
from etl.cli import main, sync
def broken(*_): raise RuntimeError("a fault")
sys.modules["etl.sync.run"].plan_versions = broken
main()
"""


def execute(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    """Run a command in a folder, with additional environment variables."""
    if command[0] == COMMAND and not any(name.startswith(("PYTHON", "LANG", "LC_", "LD_")) for name in env or ()):
        return run_preloaded([str(each) for each in command[1:]], cwd=cwd, env={**os.environ, **(env or {})})
    ended = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=patience(),
        check=False,
    )
    return Done(ended.returncode, ended.stdout, ended.stderr)
