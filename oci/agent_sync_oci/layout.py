"""The image layout: where a folder keeps blobs, and the two files that make it a layout (OCI image spec 1.1,
image-layout.md).
"""

from __future__ import annotations

from agent_sync_oci.digest import Digest
from agent_sync_oci.media_types import IMAGE_INDEX

LAYOUT_FILE = "oci-layout"
LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
INDEX_FILE = "index.json"
EMPTY_INDEX = f'{{"manifests":[],"mediaType":"{IMAGE_INDEX}","schemaVersion":2}}'.encode()
BLOBS_FOLDER = "blobs/sha256"
TAG = "org.opencontainers.image.ref.name"
"""The annotation of an entry of the index that tags it."""
KIND = "kind"
SIGNED = "dev.cosignproject.cosign/image"
"""By an entry of this kind cosign knows which manifest of a layout it is to check."""


def blob_path(digest: Digest) -> str:
    """The blob's place below the layout folder, with `/` between the parts."""
    return f"{BLOBS_FOLDER}/{digest.hex}"
