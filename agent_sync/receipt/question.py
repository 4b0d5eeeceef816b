"""What was asked, and under which circumstances an answer is the same one."""

from __future__ import annotations

import os
import sys

from agent_sync._version import __version__
from agent_sync.receipt.hashing import short_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def question(arguments: Sequence[str]) -> str | None:
    """The name under which this process's receipt is kept; it begins with the `directory_part`.

    Part of the question are the program and its interpreter, the words of the command line, the current directory, who
    asks, and what the three streams are. None where no receipt can be kept: without users to tell apart, a directory to
    be in, or a stream to write to.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if not hasattr(os, "geteuid") or any(stream is None or stream.closed for stream in streams):
        return None
    try:
        directory = os.getcwdb()
        terminals = tuple((stream.isatty(), stream.encoding) for stream in streams)
    except OSError:
        return None
    asked = (
        __version__,
        __file__,
        sys.version,
        sys.flags,
        sys.getfilesystemencoding(),
        list(arguments),
        directory,
        (os.geteuid(), os.getegid()),
        terminals,
    )
    return f"{short_name(directory)}-{short_name(repr(asked).encode('utf-8', 'surrogateescape'))}"


def directory_part(name: str) -> str:
    """What the names of all questions asked in one directory begin with."""
    return name.partition("-")[0]
