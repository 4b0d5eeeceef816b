"""The one door for YAML: strict reading, canonical writing.

Bytes of a configuration, policy or lock go in, and plain data comes out that knows the position of each value, or an
error with line and column. Plain data goes in, and its one canonical text comes out, which depends on nothing else.
"""

from __future__ import annotations

from agent_sync.documents.reader import Document, Path, gc_paused, read_document
from agent_sync.documents.scalars import DigestTable, Value, emit, emit_json

__all__ = [
    "DigestTable",
    "Document",
    "Path",
    "Value",
    "gc_paused",
    "emit",
    "emit_json",
    "read_document",
]
