"""Declarations into locked sources: what each one is right now, and its bytes packed in the store.

Git, urls and folders each have their own module; `resolving` runs them side by side, each repository fetched once.
Nothing here decides what becomes of a source that fails: it comes back as its error.
"""
