"""Decide what should be done: from a lock and a configuration to outputs, their drift, and a plan of actions.

`derive` says what the outputs are, `drift` observes the disk and tells how far it differs, and `actions` plans and
previews what makes it right.
"""
