"""The content gate: a source's files and where they would land go in, a refusal comes out if one of them could act by
itself.

It looks for two things at `update`: files that some program executes without being asked, and text that people do not
see but agents read. A source may be allowed either, by name (`allow:`).
"""

from __future__ import annotations

from agent_sync.guard.gate import refuse_dangerous

__all__ = ["refuse_dangerous"]
