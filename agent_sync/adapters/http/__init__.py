"""URLs over HTTP(S): an address goes in, the bytes that the server has come out, unaltered and bounded.

Redirects are followed by hand, so that each hop is judged and credentials go to the place that they are for and no
other. The network is read in a thread of its own, so that the caller can give up at any moment, whatever the server
or the resolver is doing.
"""

from __future__ import annotations

from agent_sync.adapters.http.fetching import HttpFetcher

__all__ = ["HttpFetcher"]
