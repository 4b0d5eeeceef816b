"""The HTTP client of url sources and registries: one way to reach a server that is not to be trusted.

Every peer is judged before a byte is sent to it, redirects are followed only where they may lead, secrets stay with
the origin that they are for, and no call takes longer than its deadline. Imported late by its users: httpx takes 0.1 s.
"""

from __future__ import annotations
