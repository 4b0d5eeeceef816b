"""The shared lock and what a user's own layers add to it (docs/reference/configuration.md, "Layers and the shared
lock").
"""

from __future__ import annotations

from dataclasses import replace

from agent_sync.lock.model import Lock, Orphan
from agent_sync.tree import RelPath


def laid_over(shared: Lock, inherited: Lock | None) -> Lock:
    """Both as one lock: sources of `inherited` replace or join those of `shared`; its outputs, if it has any, hold."""
    if inherited is None:
        return shared
    own = {source.name: source for source in inherited.sources}
    known = {source.name for source in shared.sources}
    return replace(
        shared,
        sources=(
            *(own.get(source.name, source) for source in shared.sources),
            *(source for source in inherited.sources if source.name not in known),
        ),
        outputs=shared.outputs if inherited.outputs is None else inherited.outputs,
        rendered=shared.rendered if inherited.outputs is None else inherited.rendered,
        orphans=_united(shared, inherited),
    )


def inherited_part(shared: Lock, merged: Lock) -> Lock | None:
    """What has to be laid over `shared` to get `merged`; None if they say the same."""
    sources = tuple(source for source in merged.sources if source != shared.source(source.name))
    same_outputs = merged.outputs == shared.outputs and merged.rendered == shared.rendered
    if not sources and same_outputs and merged.orphans == shared.orphans:
        return None
    part = replace(merged, sources=sources, unknown={})
    return replace(part, outputs=None, rendered=None) if same_outputs else part


def _united(shared: Lock, inherited: Lock) -> tuple[Orphan, ...]:
    orphans: dict[RelPath, Orphan] = {orphan.path: orphan for orphan in (*shared.orphans, *inherited.orphans)}
    return tuple(orphans[path] for path in sorted(orphans, key=lambda path: path.replace("/", "\0")))
