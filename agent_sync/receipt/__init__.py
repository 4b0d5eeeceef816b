"""A clean answer, saved together with every fact that it rests on, so that it can be replayed at once.

A `Recorder` takes down what a run reads and prints, and `recorder.save` makes a receipt of it. When the same is asked
again and every fact is unchanged, `replay` prints the same bytes. A receipt that is out of date, or that cannot be
trusted, is ignored.

Replaying loads nothing but this package, `os` and a hash: no `typing`, no `dataclasses`, no `re`, which would take
longer to load than the answer takes.
"""
