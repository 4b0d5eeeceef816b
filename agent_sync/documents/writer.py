"""Write plain data as its one canonical text (lockfile.md, "Canonical spelling"): a function of the data alone.

Block YAML, two spaces a level, keys in the order in which the caller has them, text without quotes where nothing could
take it for anything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import compress
from typing import Any

from agent_sync.documents.scalars import MAX_DEPTH, MAX_SIMPLE_KEY, Value, format_key, format_keys, format_scalar

# -- digest tables -----------------------------------------------------------------------------------------------------

_HEXADECIMAL = b"0123456789abcdef"
_DIGEST_LENGTH = 64


class DigestTable(Mapping[str, dict[str, Value]]):
    """A map of files that have a digest and hardly more, in columns, since a lock may have 50,000 of them.

    Each of the `names` has its `sha256` of the `digests` and, if marked, is `executable: true`. It equals the mapping
    of mappings that it stands for, which is made when somebody looks into it.
    """

    def __init__(self, names: list[str], digests: list[str], executable: list[bool]) -> None:
        """ValueError if two names are the same, or what should be a digest is none."""
        if len(set(names)) < len(names) or not _are_digests(digests):
            raise ValueError("no table of digests")
        self.names = names
        self.digests = digests
        self.executable = executable

    def __getitem__(self, name: str) -> dict[str, Value]:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return repr(self._files)

    @cached_property
    def _files(self) -> dict[str, dict[str, Value]]:
        rows = zip(self.names, self.digests, self.executable, strict=True)
        return {
            name: {"sha256": digest, "executable": True} if executable else {"sha256": digest}
            for name, digest, executable in rows
        }


def _are_digests(texts: list[str]) -> bool:
    """Return whether every text is 64 lower-case hexadecimal digits; all at once takes a tenth of one by one."""
    joined = "".join(texts).encode()
    return set(map(len, texts)) == {_DIGEST_LENGTH} and not joined.translate(None, _HEXADECIMAL)


# -- canonical text ----------------------------------------------------------------------------------------------------

_MAPPINGS = (dict, DigestTable)
_BLOCKS = (*_MAPPINGS, list)


def emit(document: Mapping[str, Any]) -> str:
    """Return the document, made of dict, list, str, int, float, bool and None, as canonical YAML; it ends with a line
    break.

    Raises:
        ValueError: it is deeper than `MAX_DEPTH`; a number or text in it has no spelling (see `format_scalar`).
        TypeError: it holds anything else.
    """
    lines: list[str] = []
    _put(lines, dict(document), indent=0, lead="", after="")
    return "".join(lines)


def emit_json(value: Any) -> bytes:  # noqa: ANN401  # whatever JSON can say
    """Return the value as canonical JSON, the bytes that recipes are digested from: sorted keys, no blanks, UTF-8.

    Raises:
        TypeError: a key is not text, or JSON cannot say the value.
        ValueError: a number is not finite; a text holds half of a surrogate pair.
    """
    _refuse_other_keys(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def _put(lines: list[str], value: Any, *, indent: int, lead: str, after: str) -> None:  # noqa: ANN401
    """Append the value: a mapping or list begins its first line with `lead`, anything else follows on `after`."""
    if indent >= 2 * MAX_DEPTH and isinstance(value, _BLOCKS):
        raise ValueError(f"deeper than {MAX_DEPTH} levels")
    if isinstance(value, _MAPPINGS) and value:
        _put_mapping(lines, value, indent, lead)
    elif isinstance(value, list) and value:
        _put_list(lines, value, indent, lead)
    else:
        lines.append(f"{after}{'{}' if value == {} else '[]' if value == [] else format_scalar(value)}\n")


def _put_mapping(lines: list[str], mapping: dict[str, Any] | DigestTable, indent: int, lead: str) -> None:
    pad = " " * indent
    table = _digest_table(mapping, lead, pad)
    if table is not None:
        lines += table
        return
    deeper = pad + "  "
    for key, value in mapping.items():
        name = format_key(key)
        head = f"{lead}{name}:" if len(name) <= MAX_SIMPLE_KEY else f"{lead}? {name}\n{pad}:"
        if not isinstance(value, _BLOCKS):
            lines.append(f"{head} {format_scalar(value)}\n")
        elif not value:
            _put(lines, value, indent=indent + 2, lead="", after=f"{head} ")
        else:
            lines.append(f"{head}\n")
            _put(lines, value, indent=indent + 2, lead=deeper, after="")
        lead = pad


def _put_list(lines: list[str], items: list[Any], indent: int, lead: str) -> None:
    for item in items:
        _put(lines, item, indent=indent + 2, lead=f"{lead}- ", after=f"{lead}- ")
        lead = " " * indent


def _digest_table(files: dict[str, Any] | DigestTable, lead: str, pad: str) -> list[str] | None:
    """Return the text, in pieces, of a map of files that are `{sha256}` or `{sha256, executable: true}`; None for any
    other.

    The rest of `_put_mapping` would write the same, but slower: a lock has 50,000 of these.
    """
    table = files if isinstance(files, DigestTable) else _as_table(files)
    if table is None:
        return None
    keys = format_keys(table.names)
    if keys is not table.names and max(map(len, keys)) > MAX_SIMPLE_KEY:  # plain ones are short
        return None
    pieces = [pad, "", f":\n{pad}  sha256: ", "", "\n"] * len(keys)
    pieces[1::5] = keys
    pieces[3::5] = [f'"{digest}"' if digest < "a" else digest for digest in table.digests]  # digits before letters
    for number, executable in enumerate(table.executable):
        if executable:
            pieces[5 * number + 4] = f"\n{pad}  executable: true\n"
    pieces[0] = lead
    return pieces


def _as_table(files: dict[str, Any]) -> DigestTable | None:
    """Return the same in columns; None if the mapping is of another kind."""
    if not isinstance(next(iter(files.values())), dict):  # the mapping of nearly every call: ask before trying
        return None
    try:
        digests = [file["sha256"] for file in files.values()]
        executable = [len(file) > 1 for file in files.values()]
        for file in compress(files.values(), executable):
            if list(file) != ["sha256", "executable"] or file["executable"] is not True:
                return None
        return DigestTable(list(files), digests, executable)
    except (KeyError, TypeError, ValueError):
        return None


def _refuse_other_keys(value: Any) -> None:  # noqa: ANN401
    """Raise TypeError for a key that is not text: `json.dumps` would write the key 1 as "1", and so give two values one
    digest.
    """
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a key of a JSON object is text")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _refuse_other_keys(each)
