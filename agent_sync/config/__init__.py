"""What the user declares: the system, user and project files as one checked `Config`, and the machine's own policy.

Bytes of `agent-sync.yaml` files go into `load.load`, and a `LoadedConfig` comes out, in which every reference is valid
and every part knows the file, line and column where it was written. What is exported here is light; the models of the
file itself (`config.model`) and `config.load` load pydantic and are imported where they are needed.
"""

from __future__ import annotations

from agent_sync.config.discovery import ConfigPath, ConfigPaths, Environment, discover, is_on
from agent_sync.config.effective import (
    Config,
    Policy,
    ToolDirectory,
    limits_of,
    request_for,
    signed_of,
    signers_of,
    tool_directories,
)
from agent_sync.sources.base import Signers

__all__ = [
    "Config",
    "ConfigPath",
    "Environment",
    "ConfigPaths",
    "Policy",
    "Signers",
    "ToolDirectory",
    "discover",
    "is_on",
    "limits_of",
    "request_for",
    "signed_of",
    "signers_of",
    "tool_directories",
]
