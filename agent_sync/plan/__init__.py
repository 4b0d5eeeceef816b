"""Decide what should be done: from a lock and a configuration to outputs, their drift, and a plan of actions.

`derive` says what the outputs are, `observe` what is on the disk, `actions` and `drift` what separates the two, and
`preview` shows it.
"""
