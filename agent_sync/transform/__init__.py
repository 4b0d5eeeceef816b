"""What is made of the locked files: templates, custom commands and overrides in, changed files out, with the recipe's
digest.

Everything is deterministic: the same recipe over the same bytes makes the same bytes, on every machine (spec §6, §11).
"""
