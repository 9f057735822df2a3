"""A minimal environment for all processes of the benchmarks, so that results do not depend on the shell."""

import os

BARE = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ} | {"LANG": "C.UTF-8"}
