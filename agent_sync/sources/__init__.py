"""Source types: what a source is declared as, what it is pinned to, and how its files are fetched.

Each type has a module of its own (`git`, `url`, `local`, `oci`); `dispatch` runs sources side by side, each
failing alone.
"""
