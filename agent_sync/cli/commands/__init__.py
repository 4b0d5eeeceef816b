"""The commands, one in each module: its options, the one method that it calls, and the text of its result.

Each module defines `VERB`. Nothing heavy is imported before its function runs: `--help` loads these modules, too.
"""
