"""The sandbox that custom commands run in: no network, nothing writable but their output, no process left behind.

A `Command` goes into `runner.SandboxRunner`; its exit status and the tail of what it printed come out, and its output
directory is filled. It rests on Landlock and seccomp, which need no privileges, adds namespaces where it may, and runs
nothing without those two.
"""
