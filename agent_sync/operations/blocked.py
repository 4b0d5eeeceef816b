"""Where a folder is needed and something else stands: what writes refuses that, what only looks tells of it."""

from __future__ import annotations

from agent_sync.errors import UnsafePath
from agent_sync.escaping import shown
from agent_sync.events import Observer, Warned
from agent_sync.plan.observing import Observed
from agent_sync.ports import Kind

_REMEDY = "remove it, or choose another destination"


def warn_of_blocked(observed: Observed, observer: Observer) -> None:
    """A warning for each, with what to do: all that belongs below one counts as missing, and that alone says little."""
    for place, kind in observed.blocked.items():
        what = {Kind.LINK: "a symbolic link", Kind.FILE: "a file"}.get(kind, "something that is no file")
        observer(Warned("blocked", shown(place), f"{what} stands where a folder is needed; {_REMEDY}"))


def refuse_links(observed: Observed) -> None:
    """Nothing, if no such place is a symbolic link. UnsafePath otherwise: the files may still be behind it."""
    for place, kind in observed.blocked.items():
        if kind is Kind.LINK:
            check = "a symbolic link stands where a folder is needed, and none is ever followed"
            raise UnsafePath(subject=shown(place), check=check, remedy=_REMEDY)
