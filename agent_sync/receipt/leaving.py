"""Receipts at the end and at the beginning of a full run: one is left, and what older ones know is used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence

from agent_sync.receipt.facts import Key, changed_ns
from agent_sync.receipt.holding import young_from
from agent_sync.receipt.noting import Known, Notes
from agent_sync.receipt.place import receipts_directory
from agent_sync.receipt.question import directory_part, question
from agent_sync.receipt.receipts import Receipt, from_bytes, to_bytes
from agent_sync.receipt.shelf import newest_receipt, write_receipt


def leave(notes: Notes, arguments: Sequence[str], environment: Mapping[str, str], *, made_s: int) -> bool:
    """Whether there is a receipt now for what was asked; a run that cannot leave one goes without."""
    asked, shelf = question(arguments), _shelf(environment)
    if asked is None or shelf is None:
        return False
    try:
        receipt = notes.receipt(asked, _program(), made_s=made_s, directory=os.getcwd())
    except OSError:  # the program is being replaced while it runs
        return False
    return receipt is not None and write_receipt(shelf, asked, to_bytes(receipt))


def known_files(environment: Mapping[str, str]) -> Known:
    """What the last receipt of the current directory knows of files, where their keys are old enough to say so."""
    asked, shelf = question(()), _shelf(environment)
    content = None if asked is None or shelf is None else newest_receipt(shelf, directory_part(asked))
    if content is None:
        return {}
    try:
        return dict(_old_enough(from_bytes(content)))
    except ValueError:
        return {}


def _old_enough(receipt: Receipt) -> Iterator[tuple[str, tuple[Key, str]]]:
    young_ns = young_from(receipt.begun_ns)
    directory = os.fsencode(os.getcwd())
    for half in receipt.facts.halves:
        for table in (half.hashed, half.trusted):
            for path, key, digest in table.digest_rows():
                if changed_ns(key) < young_ns:
                    yield os.fsdecode(os.path.join(directory, path)), (key, digest.hex())


def _shelf(environment: Mapping[str, str]) -> str | None:
    return receipts_directory(environment, macos=sys.platform == "darwin")


def _program() -> Iterator[str]:
    """The files of our own code that is loaded."""
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in ("agent_sync", "agent_sync_oci") and (file := getattr(module, "__file__", None)):
            yield file
