"""Render the text files of a tree as templates, and leave all others alone (spec §6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agent_sync.errors import TransformFailed
from agent_sync.ports import Contents, World
from agent_sync.transform.template import Budget, render
from agent_sync.tree import Entry, RelPath, Tree
from agent_sync.tree.names import Globs
from agent_sync.tree.tarball import FileToPack

if TYPE_CHECKING:
    from agent_sync.config.model import TemplateTransform
    from agent_sync.limits import Limits


def render_files(
    transform: TemplateTransform,
    tree: Tree,
    contents: Contents,
    variables: Mapping[str, Any],
    world: World,
    *,
    limits: Limits,
) -> Iterator[FileToPack]:
    """Yield the files that come out different, in tree order, one in memory at a time.

    Raises: TransformFailed, MissingVariable (both with file and line), LimitExceeded.
    """
    budget = Budget(output_bytes=min(limits.max_file_size, Budget().output_bytes))
    data = template_data(transform, variables)
    for path, entry in _selected(transform, tree):
        world.cancellation.check()
        content = b"".join(contents.chunks(entry.sha256))
        text = _text(content)
        # The engine is not asked: a file without actions stays byte for byte what it was, line ends included.
        if text is None or "{{" not in text:
            continue
        rendered = render(text, file=f"{transform.source}/{path}", data=data, budget=budget).encode()
        if rendered != content:
            yield FileToPack(path, len(rendered), (rendered,), executable=entry.executable)


def template_data(transform: TemplateTransform, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a template sees: the variables, and over them `vars`, whose texts are rendered against them once."""
    rendered = {}
    for key, value in transform.vars.items():
        try:
            rendered[key] = _render_value(value, variables, f"vars of source {transform.source}")
        except TransformFailed as error:  # its place is in no file but the configuration, which `part` leads to
            raise error.__class__(
                subject=error.subject, check=error.check, remedy=error.remedy, part=("vars", key)
            ) from error
    return {**variables, **rendered}


def _render_value(value: Any, variables: Mapping[str, Any], subject: str) -> Any:  # noqa: ANN401  # YAML data of any shape
    if isinstance(value, str):
        return render(value, file=subject, data=dict(variables))
    if isinstance(value, Mapping):
        return {key: _render_value(each, variables, subject) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_render_value(each, variables, subject) for each in value]
    return value


def _selected(transform: TemplateTransform, tree: Tree) -> Iterator[tuple[RelPath, Entry]]:
    include, exclude = Globs(transform.include), Globs(transform.exclude)
    for path, entry in tree.items():
        if (not transform.include or path in include) and path not in exclude:
            yield path, entry


def _text(content: bytes) -> str | None:
    """Return the content as text; None for a binary file, which passes through."""
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
