"""Pipes the Singer tap into target-postgres, and keeps the state between runs, as Singer schedulers do.

    TFY_HOST=… TFY_API_KEY=… python -m bench.peers.singer postgresql://…

The target is that of MeltanoLabs, with `use_copy`, which its documentation calls faster, and with the `load_method`
`upsert`. All other options have their defaults. Configuration and state are kept in the working directory.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

TAP_CONFIG, TARGET_CONFIG, STATE = Path("tap.json"), Path("target.json"), Path("state.json")


def configure(url: str) -> None:
    """Write the configuration of tap and target."""
    tap = {"host": os.environ["TFY_HOST"], "token": os.environ["TFY_API_KEY"]}
    TAP_CONFIG.write_text(json.dumps(tap), encoding="utf-8")
    target = {
        "sqlalchemy_url": url.replace("postgresql://", "postgresql+psycopg://"),
        "default_target_schema": "registry",
        "load_method": "upsert",
        "use_copy": True,
    }
    TARGET_CONFIG.write_text(json.dumps(target), encoding="utf-8")


def run_pipeline() -> tuple[int, int, bytes]:
    """Return the exit codes of tap and target, and the states that the target confirmed, one per line."""
    state = ["--state", str(STATE)] if STATE.exists() else []
    tap = [sys.executable, "-m", "bench.peers.singer_tap", "--config", str(TAP_CONFIG), *state]
    target = [str(Path(sys.executable).with_name("target-postgres")), "--config", str(TARGET_CONFIG)]
    with (
        subprocess.Popen(tap, stdout=subprocess.PIPE) as tapping,  # noqa: S603 a command of this module
        subprocess.Popen(target, stdin=tapping.stdout, stdout=subprocess.PIPE) as targeting,  # noqa: S603 the same
    ):
        assert tapping.stdout is not None  # noqa: S101 it is a pipe
        tapping.stdout.close()  # so that the tap fails when the target ends
        output, _ = targeting.communicate()
    return tapping.returncode, targeting.returncode, output


def main() -> None:
    """Run tap and target once."""
    configure(sys.argv[1])
    tap, target, output = run_pipeline()
    if tap or target:
        sys.exit(f"The tap ended with code {tap}, the target with code {target}.")
    if states := output.splitlines():
        STATE.write_bytes(states[-1])


if __name__ == "__main__":
    main()
