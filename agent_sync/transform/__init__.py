"""Derive files from the locked ones by templates, custom commands and overrides, with the digest of the recipe.

Everything is deterministic: the same recipe over the same bytes makes the same bytes, on every machine (spec §6, §11).
"""
