"""Keeps addresses out of the log of a program that uses this one as a library.

At DEBUG the library below httpx logs the headers of every answer, and with them where it redirects to: often an
address that is itself a key, signed for whoever has it.
"""

from __future__ import annotations

import logging

from agent_sync.adapters.http.reading_ahead import THREAD_NAME

_LOGGERS = ("httpcore.connection", "httpcore.http11", "httpcore.proxy")


class _NotOurs(logging.Filter):
    """Lets pass what other threads of the program log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != THREAD_NAME


_NOT_OURS = _NotOurs()


def keep_addresses_out_of_logs() -> None:
    """What our threads do is not logged; calling this again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_NOT_OURS)
