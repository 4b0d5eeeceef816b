"""The outside world for real: the one place that calls the file system, libgit2, HTTP clients and other programs.

Each module implements one protocol of `ports` and turns what the system says into our own errors; only `wiring` imports
them.
"""
