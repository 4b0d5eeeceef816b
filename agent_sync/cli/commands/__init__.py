"""The commands, one in each module: its options, the one method that it calls, and the text of its result.

Each module defines `VERB`, a command or a group of commands with two words. Nothing heavy is imported before a command
runs: `--help` loads these modules, too.
"""
