"""The one door for YAML: strict reading, canonical writing.

Bytes of a configuration, policy or lock go in, and plain data comes out that can say where each value stands; or a
refusal with line and column. Plain data goes in, and its one canonical text comes out, which depends on nothing else.
"""

from __future__ import annotations

from agent_sync.documents.digest_table import DigestTable
from agent_sync.documents.reading import Document, Path, collector_at_rest, read_document
from agent_sync.documents.spelling import Value
from agent_sync.documents.suggest import closest
from agent_sync.documents.writing import emit, emit_json

__all__ = [
    "DigestTable",
    "Document",
    "Path",
    "Value",
    "closest",
    "collector_at_rest",
    "emit",
    "emit_json",
    "read_document",
]
