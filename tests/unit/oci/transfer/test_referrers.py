"""Attaching and finding what refers to a manifest, with the referrers API and without."""

from __future__ import annotations

import pytest

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import DigestMismatch, LimitExceeded, RegistryError
from agent_sync_oci.manifest import (
    EMPTY_CONFIG,
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    SIGSTORE_BUNDLE,
    Descriptor,
    Index,
    Manifest,
)
from agent_sync_oci.registry.memory import MemoryRegistry
from agent_sync_oci.registry.protocol import MAX_REFERRERS
from agent_sync_oci.transfer.referrers import MAX_CONSIDERED, attach, referrers
from tests.builders.artifacts import SOME_TYPE, a_manifest, a_signature, put_artifact, put_blob


def fallback_tag(subject: Manifest) -> str:
    return f"sha256-{subject.digest.hex}"


def an_old_registry() -> tuple[MemoryRegistry, Manifest]:
    """A registry without the API, and a manifest in it."""
    registry = MemoryRegistry(lists_referrers=False)
    return registry, put_artifact(registry, b"one", tag="v1")


def listed(registry: MemoryRegistry, subject: Manifest) -> tuple[Descriptor, ...]:
    found = registry.manifest(fallback_tag(subject))
    assert isinstance(found, Index)
    return found.manifests


def list_at(registry: MemoryRegistry, subject: Manifest, *entries: Descriptor) -> None:
    registry.put_manifest(Index.make(artifact_type=None, manifests=entries), tag=fallback_tag(subject))


def test_a_registry_with_the_api_gets_no_fallback_tag() -> None:
    registry = MemoryRegistry()
    subject = put_artifact(registry, b"one", tag="v1")
    attach(registry, a_signature(registry, subject))
    assert registry.tags() == ("v1",)


def test_the_fallback_list_is_what_other_clients_expect() -> None:
    registry, subject = an_old_registry()
    signature = a_signature(registry, subject)
    attach(registry, signature)
    assert registry.manifest(fallback_tag(subject)).media_type == IMAGE_INDEX
    assert listed(registry, subject) == (
        Descriptor(IMAGE_MANIFEST, signature.digest, len(signature.content), {}, SIGSTORE_BUNDLE),
    )


def test_what_others_listed_stays_and_nothing_is_listed_twice() -> None:
    registry, subject = an_old_registry()
    theirs = Descriptor(IMAGE_MANIFEST, Digest.of(b"theirs"), 7, {"theirs": "yes"}, "application/vnd.theirs")
    list_at(registry, subject, theirs)
    signature = a_signature(registry, subject)
    for _ in range(2):
        attach(registry, signature)
    assert [each.digest for each in listed(registry, subject)] == [theirs.digest, signature.digest]
    assert listed(registry, subject)[0] == theirs


class Contended(MemoryRegistry):
    """Somebody else's write comes right after each of the first `times` of ours."""

    def __init__(self, times: int) -> None:
        super().__init__(lists_referrers=False)
        self.times = times

    def put_manifest(self, manifest: Manifest | Index, *, tag: str | None = None) -> bool:
        listed = super().put_manifest(manifest, tag=tag)
        if tag is not None and tag.startswith("sha256-") and self.times:
            self.times -= 1
            theirs = Descriptor(IMAGE_MANIFEST, Digest.of(b"theirs %d" % self.times), 7)
            super().put_manifest(Index.make(artifact_type=None, manifests=[theirs]), tag=tag)
        return listed


def test_a_list_that_somebody_overwrites_is_written_again() -> None:
    registry = Contended(times=3)
    subject = put_artifact(registry, b"one")
    signature = a_signature(registry, subject)
    attach(registry, signature)
    assert {each.digest for each in listed(registry, subject)} == {signature.digest, Digest.of(b"theirs 0")}


def test_a_list_that_is_always_overwritten_is_an_error() -> None:
    registry = Contended(times=1_000)
    subject = put_artifact(registry, b"one")
    with pytest.raises(RegistryError, match="other processes keep changing"):
        attach(registry, a_signature(registry, subject))


def test_only_referrers_of_the_type_that_is_asked_for_are_found() -> None:
    for registry in (MemoryRegistry(), MemoryRegistry(lists_referrers=False)):
        subject = put_artifact(registry, b"one")
        signature = a_signature(registry, subject)
        note = a_manifest(put_blob(registry, b"note"), subject=subject.descriptor)
        for each in (note, signature):
            attach(registry, each)
        assert referrers(registry, subject.digest, artifact_type=SIGSTORE_BUNDLE) == (signature,)
        assert referrers(registry, subject.digest, artifact_type=SOME_TYPE) == (note,)
        assert referrers(registry, subject.digest, artifact_type=None) == (note, signature)
        assert referrers(registry, subject.digest, artifact_type="application/vnd.other") == ()


@pytest.mark.parametrize("listed_as", [None, EMPTY_CONFIG])
def test_what_is_listed_without_its_type_is_looked_at(listed_as: str | None) -> None:
    """Some registries and clients list the type of the empty config, or none."""
    registry, subject = an_old_registry()
    signature = a_signature(registry, subject)
    registry.put_manifest(signature)
    plain = signature.descriptor
    list_at(registry, subject, Descriptor(plain.media_type, plain.digest, plain.size, {}, listed_as))
    assert referrers(registry, subject.digest, artifact_type=SIGSTORE_BUNDLE) == (signature,)
    assert referrers(registry, subject.digest, artifact_type=SOME_TYPE) == ()


def test_what_is_listed_as_one_type_and_is_another_is_passed_over() -> None:
    registry, subject = an_old_registry()
    note = a_manifest(put_blob(registry, b"note"), subject=subject.descriptor)
    registry.put_manifest(note)
    plain = note.descriptor
    list_at(registry, subject, Descriptor(plain.media_type, plain.digest, plain.size, {}, SIGSTORE_BUNDLE))
    assert referrers(registry, subject.digest, artifact_type=SIGSTORE_BUNDLE) == ()


def test_junk_in_the_list_keeps_no_signature_from_being_found() -> None:
    registry, subject = an_old_registry()
    signature = a_signature(registry, subject)
    attach(registry, signature)
    of_another = a_signature(registry, put_artifact(registry, b"another"))
    registry.put_manifest(of_another)
    an_index = Index.make(artifact_type=SIGSTORE_BUNDLE, manifests=[], subject=subject.descriptor)
    registry.put_manifest(an_index)
    registry.manifests[Digest.of(b"changed")] = signature
    junk = [
        of_another.descriptor,
        an_index.descriptor,
        subject.descriptor,
        Descriptor(IMAGE_MANIFEST, Digest.of(b"missing"), 7),
        Descriptor(IMAGE_MANIFEST, Digest.of(b"changed"), 7),
        Descriptor("text/plain", signature.digest, 7),
    ]
    list_at(registry, subject, *junk, *listed(registry, subject))
    assert referrers(registry, subject.digest, artifact_type=SIGSTORE_BUNDLE) == (signature,)


def test_of_a_thousand_referrers_those_of_the_type_are_considered_up_to_a_limit() -> None:
    registry, subject = an_old_registry()
    signatures = [a_signature(registry, subject, b'{"n": %d}' % number) for number in range(MAX_CONSIDERED + 5)]
    for signature in signatures:
        registry.put_manifest(signature)
    others = [
        Descriptor(IMAGE_MANIFEST, Digest.of(b"%d" % number), 7, {}, "application/vnd.other")
        for number in range(MAX_REFERRERS - len(signatures))
    ]
    entries = [Descriptor(*_plain(each), artifact_type=SIGSTORE_BUNDLE) for each in signatures]
    list_at(registry, subject, *others, *entries)
    found = referrers(registry, subject.digest, artifact_type=SIGSTORE_BUNDLE)
    assert found == tuple(signatures[:MAX_CONSIDERED])
    list_at(registry, subject, *others, *entries, Descriptor(IMAGE_MANIFEST, Digest.of(b"one more"), 7))
    with pytest.raises(LimitExceeded, match=str(MAX_REFERRERS)):
        referrers(registry, subject.digest, artifact_type=SIGSTORE_BUNDLE)


def _plain(manifest: Manifest) -> tuple[str, Digest, int]:
    return manifest.media_type, manifest.digest, len(manifest.content)


def test_a_fallback_tag_that_names_no_list_is_refused() -> None:
    registry, subject = an_old_registry()
    registry.put_manifest(subject, tag=fallback_tag(subject))
    with pytest.raises(DigestMismatch, match="list of referrers"):
        referrers(registry, subject.digest, artifact_type=None)
    with pytest.raises(DigestMismatch, match="list of referrers"):
        attach(registry, a_signature(registry, subject))
