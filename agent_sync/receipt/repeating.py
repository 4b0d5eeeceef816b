"""The look-up: the same question, every fact as it was -> the same answer, before anything heavy is loaded."""

from __future__ import annotations

import os
import sys

from agent_sync.receipt.holding import environment_holds, world_holds, young_from
from agent_sync.receipt.place import receipts_directory
from agent_sync.receipt.question import question
from agent_sync.receipt.receipts import from_bytes, to_bytes
from agent_sync.receipt.shelf import read_receipt, write_receipt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent_sync.receipt.receipts import Receipt

MAX_AGE_S = 86_400
"""Once a day the full run has its turn: it tells the store that the lock is still in use."""


def repeated(arguments: Sequence[str], environment: Mapping[str, str], *, now_ns: int) -> bool:
    """Whether the answer could be given from a receipt; it has been, and the exit code is 0.

    1 there is a receipt for exactly this question; 2 it is this user's own, whole, and not too old; 3 every variable is
    as it was; 4 everything it rests on is; 5 what it says is written.
    """
    asked = question(arguments)
    shelf = receipts_directory(environment, macos=sys.platform == "darwin")
    if asked is None or shelf is None:
        return False
    try:
        receipt = _believed(read_receipt(shelf, asked), asked, now_ns)
        if receipt is None or not environment_holds(receipt.facts, environment):
            return False
        young_ns = young_from(receipt.begun_ns)
        if not world_holds(receipt.facts, young_ns=young_ns):
            return False
        if young_ns <= receipt.facts.youngest_ns < young_from(now_ns):
            receipt.begun_ns = now_ns  # what was young, and has been hashed again, is old enough now
            write_receipt(shelf, asked, to_bytes(receipt))
        return _say(receipt)
    except (OSError, ValueError):
        return False


def _believed(content: bytes | None, asked: str, now_ns: int) -> Receipt | None:
    """A clock that was set back makes receipts of the future: those are not believed either."""
    receipt = None if content is None else from_bytes(content)
    if receipt is None or receipt.question != asked or not 0 <= now_ns // 10**9 - receipt.made_s < MAX_AGE_S:
        return None
    return receipt


def _say(receipt: Receipt) -> bool:
    for descriptor, text in receipt.said:
        left = text
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BrokenPipeError:
                return True  # whoever reads has seen enough: that is no failure
    return True
