"""Registries over HTTP (OCI distribution spec 1.1).

oras finds the credentials and answers challenges, `agent_sync_oci.http` carries everything, and what a server says is
believed only as far as it can be checked. Imported late by whoever uses it: httpx takes 0.1 s.
"""

from __future__ import annotations
