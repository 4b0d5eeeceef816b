"""Result documents: the result of a verb as a JSON value with a JSON Schema.

A result of the library goes in; a typed dictionary of plain JSON values comes out. `--json` prints it, and a program
that uses the library takes it from the same functions. The schemas in `schemas/documents/` are generated from the
types.
"""
