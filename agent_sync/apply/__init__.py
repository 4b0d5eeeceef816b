"""Apply a plan: all of it or nothing, also after `kill -9`, a full disk or a power cut.

A plan, the bytes that it needs and the checkout go in. New files are staged in `.agent-sync/txn/`, a journal says what
is about to happen, each target then takes one rename, and one last rename commits; edits that were replaced are kept.
"""

from __future__ import annotations

from agent_sync.apply.apply import Applied, apply
from agent_sync.apply.recover import Recovered, is_interrupted, recover
from agent_sync.apply.survey import survey

__all__ = ["Applied", "Recovered", "apply", "is_interrupted", "recover", "survey"]
