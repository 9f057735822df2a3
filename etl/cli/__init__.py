"""The command line: wiring. An error becomes one line on stderr and an exit code.

main         the group, and the way from an exception to an exit code
options      the options, made from the fields of Settings
config_file  TOML into click's defaults
logs         log lines for people and programs, scrubbed
progress     bars on a terminal, lines elsewhere
shown        what people wrote, made safe to show
sync, check, status, rejected, db, demo, simulate    a command each
"""

from etl.cli.main import main

__all__ = ["main"]
