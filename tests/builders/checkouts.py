"""A checkout to apply plans to: what is planned comes from the files wanted, the files written last, and the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from agent_sync.apply import Applied, Recovered, apply, recover
from agent_sync.checkout import Checkout
from agent_sync.events import Event
from agent_sync.plan.actions import Action, Plan, Step
from agent_sync.ports import Cancellation, Directory, Kind, World
from agent_sync.tree import Entry, RelPath, Tree, sorted_paths
from tests.builders.directories import files_of, read
from tests.builders.stores import StoppedClock
from tests.builders.trees import Files, Program, a_tree, as_bytes, program
from tests.fakes.contents import MemoryContents
from tests.fakes.directory import MemoryDirectory

_STATE = (".agent-sync/.gitignore", ".agent-sync/applied.lock", ".agent-sync/lock")

# From BEFORE to AFTER every kind of change happens: a file in an old directory, a directory with directories in it, new
# bytes, a new mode, a file that goes and takes its directory with it, a file that becomes a directory, a directory that
# becomes a file.
BEFORE: Files = {
    ".claude/rules/a.md": "a, first",
    ".claude/rules/edited.md": "edited, first",
    ".claude/rules/same.md": "the same",
    ".claude/tools/run.sh": "#!/bin/sh",
    ".claude/tools/turns": "a file",
    ".cursor/rules/gone/x.md": "goes",
    ".cursor/rules/narrows/y/z.md": "a file in a directory",
    "AGENTS.md": "top, first",
}
AFTER: Files = {
    ".claude/rules/a.md": "a, second",
    ".claude/rules/edited.md": "edited, second",
    ".claude/rules/new.md": "new",
    ".claude/rules/same.md": "the same",
    ".claude/tools/run.sh": program("#!/bin/sh"),
    ".claude/tools/turns/into.md": "a file in a directory",
    ".cursor/rules/narrows": "a file",
    ".windsurf/rules/core/a.md": "deep",
    ".windsurf/rules/core/deeper/b.md": "deeper",
    ".windsurf/rules/run.sh": program("#!/bin/sh\nexit"),
    "AGENTS.md": "top, second",
}
EDITED = ".claude/rules/edited.md"
EDIT = "somebody's own words"


@dataclass
class ACheckout:
    """A project's directory and everything that applying needs; `written` is what was applied last."""

    directory: Directory = field(default_factory=MemoryDirectory)
    clock: StoppedClock = field(default_factory=StoppedClock)
    contents: MemoryContents = field(default_factory=MemoryContents)
    cancellation: Cancellation = field(default_factory=Cancellation)
    events: list[Event] = field(default_factory=list)
    written: Tree = field(default_factory=Tree)
    observer: Callable[[Event], object] | None = None

    @property
    def checkout(self) -> Checkout:
        return Checkout(self.directory)

    @property
    def world(self) -> World:
        nothing = cast(Any, None)
        return World(
            project=self.directory,
            store=nothing,
            roots=nothing,
            records=nothing,
            scratch=nothing,
            git=nothing,
            fetcher=nothing,
            registries=nothing,
            runner=nothing,
            signatures=nothing,
            nix=nothing,
            clock=self.clock,
            at=nothing,
            read_file=nothing,
            observer=self._hear,
            cancellation=self.cancellation,
        )

    def plan(self, files: Files) -> Plan:
        """What makes the disk these files; what was written last and is not among them goes."""
        self.contents.add(files)
        wanted = a_tree(files)
        actions = (self._action(path, wanted.get(path)) for path in sorted_paths({*wanted, *self.written}))
        return Plan(tuple(action for action in actions if action is not None))

    def apply(self, plan: Plan, *, lock: bytes = b"lock") -> Applied:
        """As a command does it: recovered first."""
        self.recover()
        return apply(plan, self.contents, self.checkout, self.world, applied_lock=lock)

    def sync(self, files: Files, *, lock: bytes = b"lock") -> Applied:
        """Plan and apply; these files are what was written last then."""
        self.recover()
        applied = self.apply(self.plan(files), lock=lock)
        self.written = a_tree(files)
        return applied

    def recover(self) -> Recovered | None:
        return recover(self.checkout, self.world)

    def heard(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        if self.observer is not None:
            self.observer(event)

    def _action(self, path: RelPath, after: Entry | None) -> Action | None:
        stat = self.directory.stat(path)
        before = None
        if stat is not None and stat.kind is Kind.FILE:
            before = Entry(self.directory.digest(path), stat.executable)
        if before == after:
            return None
        step = Step.REMOVE if after is None else Step.REPLACE if before else Step.CREATE
        edited = before is not None and before != self.written.get(path)
        return Action(step, path, f"source-of-{path.partition('/')[0]}", before, after, edited, stat)

    @property
    def kept(self) -> dict[str, str]:
        """The kept edits by their path, the newest where there are several."""
        return {edit.path: read(self.directory, edit.place) for edit in self.checkout.kept.all()}

    def targets(self) -> dict[str, str]:
        """All that stands in the project but kept edits and the state that stays: strays would show."""
        found = files_of(self.directory).items()
        return {path: text for path, text in found if not path.startswith(".agent-sync/kept/") and path not in _STATE}


def as_shown(files: Files) -> dict[str, str]:
    """Files the way `files_of` tells them."""
    return {
        path: f"{'*' if isinstance(content, Program) else ''}{as_bytes(content).decode()}"
        for path, content in sorted(files.items())
    }
