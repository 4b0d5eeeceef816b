"""The verbs, one module each or one for a group: values go in, a frozen result comes out.

A verb that only reads takes `Inputs`. A verb that writes takes a `Run`, and has two phases: `plan` needs no lock of the
project, and `execute` holds it. A verb does not print, ask, or exit: it announces events, returns what it found, and
raises what stopped it.
"""
