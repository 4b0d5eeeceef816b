"""Sending blobs: several at once, each once, and none that is there already."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from agent_sync_oci.manifest import Descriptor
from agent_sync_oci.registry.protocol import OpenBody, Registry
from agent_sync_oci.transfer.side_by_side import side_by_side

Outgoing = tuple[Descriptor, OpenBody]


@dataclass(frozen=True, slots=True)
class Sent:
    """How many blobs and bytes went out, and how many blobs the place had."""

    blobs: int = 0
    bytes: int = 0
    skipped: int = 0


def send(registry: Registry, blobs: Iterable[Outgoing], *, mount_from: str | None = None) -> Sent:
    """Every blob is in the registry.

    `mount_from` names a repository of the same registry that may have some of them. A body is opened only if the blob
    is needed. The first error is raised, when all transfers that had begun have ended.
    """
    once = {blob.digest: (blob, open_body) for blob, open_body in blobs}

    def put(outgoing: Outgoing) -> Descriptor | None:
        blob, open_body = outgoing
        opened = threading.Event()

        def noted() -> BinaryIO:
            opened.set()
            return open_body()

        registry.put_blob(blob, noted, mount_from=mount_from)
        return blob if opened.is_set() else None

    sent = [blob for blob in side_by_side(put, once.values()) if blob is not None]
    return Sent(len(sent), sum(blob.size for blob in sent), len(once) - len(sent))
