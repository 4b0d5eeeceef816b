"""Whether a time-stamp authority saw a signature (RFC 3161), which shows that its certificate was still good then."""

from __future__ import annotations

from collections.abc import Sequence

from agent_sync_oci.errors import SignatureRejected
from agent_sync_oci.signing.certificate import unbelieved_certificates
from agent_sync_oci.signing.trusted_root import TimeAuthority

_SUBJECT = "the time stamp of the signature"


def check_time_stamps(stamps: Sequence[bytes], signature: bytes, authorities: Sequence[TimeAuthority]) -> None:
    """Nothing, if one of `authorities` made each of `stamps` over `signature`. Raises SignatureRejected."""
    if len(set(stamps)) != len(stamps):
        raise SignatureRejected(subject=_SUBJECT, check="it is there twice")
    for stamp in stamps:
        if not any(_has_stamped(authority, stamp, signature) for authority in authorities):
            raise SignatureRejected(subject=_SUBJECT, check="no authority of the trusted root made it for this one")


def _has_stamped(authority: TimeAuthority, stamp: bytes, signature: bytes) -> bool:
    from cryptography.x509 import load_der_x509_certificate
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    with unbelieved_certificates("a time-stamp authority of the trusted root"):
        own, *intermediates, root = map(load_der_x509_certificate, authority.certificates)
        builder = VerifierBuilder().tsa_certificate(own).add_root_certificate(root)
        for certificate in intermediates:
            builder = builder.add_intermediate_certificate(certificate)
    try:
        with unbelieved_certificates(_SUBJECT):
            response = decode_timestamp_response(stamp)
            builder.build().verify_message(response, signature)
            return response.tst_info.gen_time in authority.period
    except VerificationError:
        return False
