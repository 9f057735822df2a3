"""The command line: it parses options, calls the other packages, and turns errors into a line and an exit code.

`main`             The group of commands, and the exit code of each error.
`commands`         The declarations of the commands, in a package.
`lazy`             Import the implementation of a command when it runs.
`options`          Options made from the fields of Settings.
`moment`           The type of options such as --since.
`version_number`   The type of `diff --versions`.
`config_file`      Defaults from a TOML file.
`logs`             Log lines for people and programs, without secrets.
`progress`         Progress bars on a terminal, log lines elsewhere.
`sanitize`         Text that is safe to print.
`output`           Stdout and stderr, and failures to write them.
`planned_changes`  The changes that a dry run has found.
`console`          Tables for people.
`result`           The result of a run, for people.

Every other module implements the command of its name.
"""

from etl.cli.main import main

__all__ = ["main"]
