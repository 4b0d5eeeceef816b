"""Check who signed a tag or a commit, by `gpgv` (OpenPGP) or `ssh-keygen` (SSH) and the given keys alone."""

from __future__ import annotations

import base64
import binascii
import re
import shutil
import time
from collections.abc import Mapping

from agent_sync.adapters.git.environment import isolated
from agent_sync.adapters.program import Bounds, Completed, run
from agent_sync.errors import Untrusted
from agent_sync.ports import Directory, Scratch, SignedObject
from agent_sync.tree import RelPath
from agent_sync_oci.text import quoted

_SUBJECT = "the signature"
_TIMEOUT_S = 30.0
_ARMOR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:[^\n:]+: [^\n]*\n)*\s*\n(?P<key>[A-Za-z0-9+/=\s]+?)"
    rb"(?:\n=[A-Za-z0-9+/]{4}\s*)?-----END PGP PUBLIC KEY BLOCK-----",
)
_SIGNED_AT = re.compile(rb"^(?:committer|tagger) [^\n]*> (\d{1,11}) [+-]\d{4}$", re.MULTILINE)
_FORGEABLE_DIGESTS = {"1": "MD5", "2": "SHA-1", "3": "RIPEMD-160"}  # OpenPGP's numbers, RFC 9580 §9.5


class GitSignatures:
    """A `SignatureChecker`. `scratch` makes a directory that only this user can enter, removed in the end."""

    def __init__(self, environment: Mapping[str, str], scratch: Scratch) -> None:
        self._path = environment.get("PATH", "")
        self._environment = {**isolated(environment), "TZ": "UTC"}
        self._scratch = scratch

    def signer(self, signed: SignedObject, *, allowed_signers: bytes | None, keyring: bytes | None) -> str:
        if signed.signature is None:
            raise _untrusted("is missing", "have it signed at the source, or choose a ref that is")
        if _is(signed.signature, b"SSH SIGNATURE"):
            if allowed_signers is None:
                raise _untrusted(
                    "was made with an SSH key, and no file names the signers", "name one in `allowed_signers:`"
                )
            return self._ssh_signer(signed.payload, signed.signature, allowed_signers)
        if _is(signed.signature, b"PGP SIGNATURE"):
            if keyring is None:
                raise _untrusted("was made with OpenPGP, and no keyring is given", "name a file in `keyring:`")
            return self._openpgp_signer(signed.payload, signed.signature, _without_armor(keyring))
        raise _untrusted("is not one whole OpenPGP or SSH signature", "have it signed in another way")

    def _ssh_signer(self, payload: bytes, signature: bytes, allowed_signers: bytes) -> str:
        with self._scratch() as directory:
            home = _filled(directory, signature=signature, allowed=allowed_signers)
            files = ("-f", "allowed", "-s", "signature", *_at_signing_time(payload))
            found = self._run("ssh-keygen", "openssh-client", home, ("-Y", "find-principals", *files))
            for principal in found.output.decode("utf-8", "replace").splitlines() if not found.exit_code else ():
                argv = ("-Y", "verify", "-n", "git", "-I", principal, *files)
                if not self._run("ssh-keygen", "openssh-client", home, argv, payload).exit_code:
                    return principal
        raise _untrusted("was made by no allowed signer for this content", _OTHER_KEY)

    def _openpgp_signer(self, payload: bytes, signature: bytes, keyring: bytes) -> str:
        with self._scratch() as directory:
            home = _filled(directory, signature=signature, payload=payload, keyring=keyring)
            argv = ("--homedir", home, "--keyring", f"{home}/keyring", "--status-fd", "1")
            completed = self._run("gpgv", "gpgv", home, (*argv, "--", "signature", "payload"))
        return _fingerprint(completed)

    def _run(self, name: str, package: str, home: str, argv: tuple[str, ...], stdin: bytes = b"") -> Completed:
        program = shutil.which(name, path=self._path)
        if program is None:
            check = f"cannot be checked: program {name} is not installed"
            raise _untrusted(check, f"install {name} (the Debian package is {package})")
        environment = {**self._environment, "GNUPGHOME": home}
        bounds = Bounds(_SUBJECT, _TIMEOUT_S)
        return run((program, *argv), bounds, environment=environment, directory=home, stdin=stdin)


_OTHER_KEY = "if the key is a new one of somebody you trust, add it; otherwise do not use this content"


def _fingerprint(completed: Completed) -> str:
    """Return the fingerprint of the primary key of the one good signature that gpgv reports.

    Raise Untrusted otherwise. gpgv's exit code alone would not do: it is 0 for revoked keys.
    """
    lines = [line.split()[1:] for line in completed.output.decode("utf-8", "replace").splitlines() if line.count(" ")]
    statuses = [line[0] for line in lines if line]
    valid = [line for line in lines if line[:1] == ["VALIDSIG"]]
    if "REVKEYSIG" in statuses:
        raise _untrusted("was made with a revoked key", _OTHER_KEY)
    if "EXPKEYSIG" in statuses or "EXPSIG" in statuses:
        raise _untrusted("has expired, or its key has", "take the renewed key into the keyring")
    if completed.exit_code or statuses.count("NEWSIG") != 1 or statuses.count("GOODSIG") != 1 or len(valid) != 1:
        raise _untrusted("was made with no key of the keyring for this content", _OTHER_KEY)
    if (digest := valid[0][8]) in _FORGEABLE_DIGESTS:
        raise _untrusted(f"covers a {_FORGEABLE_DIGESTS[digest]} digest, which can be forged", "have it signed anew")
    return valid[0][-1]


def _filled(directory: Directory, **files: bytes) -> str:
    """Write these files into the directory; return its path."""
    for name, content in files.items():
        directory.create(RelPath(name), (content,))
    return directory.name


def _is(signature: bytes, kind: bytes) -> bool:
    """Return whether this is one armored signature of the kind and nothing else: what follows would not be signed."""
    begin, end = b"-----BEGIN " + kind + b"-----", b"-----END " + kind + b"-----"
    return signature.startswith(begin) and signature.rstrip().endswith(end) and signature.count(b"-----BEGIN ") == 1


def _without_armor(keyring: bytes) -> bytes:
    """Return the keys as bytes: gpgv reads no armor."""
    if b"-----BEGIN PGP" not in keyring:
        return keyring
    try:
        return b"".join(base64.b64decode(block["key"]) for block in _ARMOR.finditer(keyring))
    except binascii.Error as error:
        raise _untrusted(
            "cannot be checked: the keyring is damaged", "export it again: gpg --export --armor"
        ) from error


def _at_signing_time(payload: bytes) -> tuple[str, ...]:
    """Return options to judge by the keys that were good when it was signed, as git does: signers may have dates."""
    found = _SIGNED_AT.search(payload.partition(b"\n\n")[0])
    if found is None:
        return ()
    return ("-O", "verify-time=" + time.strftime("%Y%m%d%H%M%S", time.gmtime(int(found[1]))))


def _untrusted(check: str, remedy: str) -> Untrusted:
    return Untrusted(subject=_SUBJECT, check=quoted(check)[1:-1], remedy=remedy)
