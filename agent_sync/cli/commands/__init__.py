"""One command a file: what it takes from the command line, the one method that it calls, and how its result is told.

Each module defines `VERB`. Nothing heavy is imported before the function runs: `--help` loads these modules, too.
"""
