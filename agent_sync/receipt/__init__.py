"""A clean answer, remembered together with every fact that it rests on, so that it can be given again at once.

What a run read and what it said go in (`noting`, `leaving`); if the same is asked again and every fact still holds, the
same bytes come out (`repeating`). What does not hold, or cannot be believed, is simply not answered from here.

The way to an answer loads nothing but this package, `os` and a hash: no `typing`, no `dataclasses`, no `re`, which
would take longer to load than the answer takes.
"""
