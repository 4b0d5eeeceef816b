"""The command line: the one place where results and errors become text and exit codes.

The words of a command line, an environment and three streams go in; each command calls one method of the library; text
or one JSON document, and an exit code, come out.
"""
