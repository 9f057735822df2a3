"""The command line: it parses options, calls the other packages, and turns errors into a line and an exit code.

main          the group of commands, and the exit code of each error
commands      the declarations of the commands, in a package
lazy          import the implementation of a command when it runs
options       options made from the fields of Settings
moment        the type of options such as --since
config_file   defaults from a TOML file
logs          log lines for people and programs, without secrets
progress      progress bars on a terminal, log lines elsewhere
sanitize      text that is safe to print
output        stdout and stderr, and failures to write them
run_reporter  reports of a run to metrics file, OTLP collector and webhook
planned_changes
              the changes that a dry run has found
console       tables for people
result        the result of a run, for people
sync, check, status, changes, rejected, retry, prune, report, export, explore, schema, db, config, demo, simulate
              the implementations of the commands
"""

from etl.cli.main import main

__all__ = ["main"]
