import sys
from pathlib import Path

import pytest

from bench.measure import Failed, measured

ALLOCATE = "held = bytearray(150_000_000); import time; time.sleep(0.5)"
USE_CPU = "import time\nwhile time.process_time() < 0.5: pass"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_memory_is_that_of_all_processes_together(tmp_path: Path) -> None:
    alone = measured(python(ALLOCATE), tmp_path, {})
    two = f"import subprocess, sys; each = [subprocess.Popen([sys.executable, '-c', {ALLOCATE!r}]) for _ in range(2)]\n"
    both = measured(python(two + "for process in each: process.wait()"), tmp_path, {})
    assert 150 < alone.peak_mb < 250
    assert 300 < both.peak_mb < 450


def test_cpu_is_that_of_all_processes_together(tmp_path: Path) -> None:
    both = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {USE_CPU!r}])\n{USE_CPU}"
    assert measured(python(both), tmp_path, {}).cpu > 1


def test_measured_returns_output_and_passes_the_environment(tmp_path: Path) -> None:
    result = measured(python("import os; print(os.environ['SAID'])"), tmp_path, {"SAID": "so"})
    assert result.out == "so\n"


def test_failing_command_raises_failed(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"ended with 3:\n(?s:.*)the reason"):
        measured(python("import sys; print('the reason', file=sys.stderr); sys.exit(3)"), tmp_path, {})
