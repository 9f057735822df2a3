"""The environment of every process that the bench starts: bare, so that nobody's shell changes a measurement."""

import os

BARE = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ} | {"LANG": "C.UTF-8"}
