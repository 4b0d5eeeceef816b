"""The version of agent-sync, and the name of its distribution; the build reads the version here, too."""

from __future__ import annotations

__version__ = "0.1.0"
__distribution__ = "agent-sync-lock"
