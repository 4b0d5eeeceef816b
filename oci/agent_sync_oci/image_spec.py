"""Names out of the OCI image specification 1.1: media types, and the files that make a directory an image layout.

Source: image-layout.md and media-types.md; the media types of signatures are those of sigstore and in-toto.
"""

from __future__ import annotations

from agent_sync_oci.digest import Digest

IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"
SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"

# The image layout: two files, and a directory of blobs.
LAYOUT_FILE = "oci-layout"
LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
INDEX_FILE = "index.json"
EMPTY_INDEX = f'{{"manifests":[],"mediaType":"{IMAGE_INDEX}","schemaVersion":2}}'.encode()
BLOBS_DIRECTORY = "blobs/sha256"
REF_NAME = "org.opencontainers.image.ref.name"
"""The annotation with which an entry of `index.json` has a tag."""
KIND = "kind"
COSIGN_IMAGE = "dev.cosignproject.cosign/image"
"""The annotation `kind` of the entry that cosign verifies in a layout."""


def blob_path(digest: Digest) -> str:
    """Return the path of a blob below the layout directory, with `/` between the parts."""
    return f"{BLOBS_DIRECTORY}/{digest.hex}"
