"""One verb a file: `Inputs` and options go in, a frozen result comes out, and only `lock_file` and `apply` have
written.

A verb does not print, ask or exit: it announces events, returns what it found, and raises what stopped it.
"""
