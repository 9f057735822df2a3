"""The command line: wiring. An error becomes one line on stderr and an exit code.

main         the group, and the way from an exception to an exit code
commands     the commands: what each takes, and what it says of itself; commands_for_readers: those that only look
late         importing what a command does when it runs
options      the options, made from the fields of Settings
config_file  TOML into click's defaults
logs         log lines for people and programs, scrubbed
progress     bars on a terminal, lines elsewhere
shown        what people wrote, made safe to show
output       stdout and stderr, and results that cannot be printed
watching     how a run went, told to metrics, traces and webhook
drawing      tables for people
sync, check, status, rejected, retry, prune, report, export, explore, schema, db, demo, simulate
             what the commands do
"""

from etl.cli.main import main

__all__ = ["main"]
