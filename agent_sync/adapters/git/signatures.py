"""Who signed a tag or a commit, as `gpgv` (OpenPGP) and `ssh-keygen` (SSH) judge it with the given keys alone."""

from __future__ import annotations

import base64
import binascii
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from agent_sync.adapters.git.environment import isolated
from agent_sync.adapters.program import Bounds, Completed, run
from agent_sync.errors import Untrusted
from agent_sync.ports import Directory, SignedObject
from agent_sync_oci.text import quoted

_SUBJECT = "the signature"
_TIMEOUT_S = 30.0
_ARMOUR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:[^\n:]+: [^\n]*\n)*\s*\n(?P<key>[A-Za-z0-9+/=\s]+?)"
    rb"(?:\n=[A-Za-z0-9+/]{4}\s*)?-----END PGP PUBLIC KEY BLOCK-----",
)
_SIGNED_AT = re.compile(rb"^(?:committer|tagger) [^\n]*> (\d{1,11}) [+-]\d{4}$", re.MULTILINE)
_FORGEABLE_DIGESTS = {"1": "MD5", "2": "SHA-1", "3": "RIPEMD-160"}  # OpenPGP's numbers, RFC 9580 §9.5


class GitSignatures:
    """A `SignatureChecker`. `scratch` gives a directory that only this user can enter and that is removed in the
    end.
    """

    def __init__(
        self, environment: Mapping[str, str], scratch: Callable[[], AbstractContextManager[Directory]]
    ) -> None:
        self._path = environment.get("PATH", "")
        self._environment = {**isolated(environment), "TZ": "UTC"}
        self._scratch = scratch

    def signer(self, signed: SignedObject, *, allowed_signers: bytes | None, keyring: bytes | None) -> str:
        if signed.signature is None:
            raise _untrusted("there is none", "have it signed at the source, or choose a ref that is")
        if _is(signed.signature, b"SSH SIGNATURE"):
            if allowed_signers is None:
                raise _untrusted("it is made with an SSH key, and no file says whose", "name one in `allowed_signers:`")
            return self._ssh_signer(signed.payload, signed.signature, allowed_signers)
        if _is(signed.signature, b"PGP SIGNATURE"):
            if keyring is None:
                raise _untrusted("it is made with OpenPGP, and there is no keyring", "name a file in `keyring:`")
            return self._openpgp_signer(signed.payload, signed.signature, _without_armour(keyring))
        raise _untrusted("it is neither one of OpenPGP nor one of SSH, or not whole", "have it signed in another way")

    def _ssh_signer(self, payload: bytes, signature: bytes, allowed_signers: bytes) -> str:
        with self._scratch() as directory:
            home = Path(directory.name)
            (home / "signature").write_bytes(signature)
            (home / "allowed").write_bytes(allowed_signers)
            files = ("-f", "allowed", "-s", "signature", *_at_that_time(payload))
            found = self._run("ssh-keygen", "openssh-client", home, ("-Y", "find-principals", *files))
            for principal in found.output.decode("utf-8", "replace").splitlines() if not found.exit_code else ():
                words = ("-Y", "verify", "-n", "git", "-I", principal, *files)
                if not self._run("ssh-keygen", "openssh-client", home, words, payload).exit_code:
                    return principal
        raise _untrusted("no allowed signer has made it for this content", _OTHER_KEY)

    def _openpgp_signer(self, payload: bytes, signature: bytes, keyring: bytes) -> str:
        with self._scratch() as directory:
            home = Path(directory.name)
            for name, content in (("signature", signature), ("payload", payload), ("keyring", keyring)):
                (home / name).write_bytes(content)
            words = ("--homedir", str(home), "--keyring", str(home / "keyring"), "--status-fd", "1")
            ended = self._run("gpgv", "gpgv", home, (*words, "--", "signature", "payload"))
        return _fingerprint(ended)

    def _run(self, name: str, package: str, home: Path, words: tuple[str, ...], questions: bytes = b"") -> Completed:
        program = shutil.which(name, path=self._path)
        if program is None:
            check = f"it cannot be checked: there is no program {name} here"
            raise _untrusted(check, f"install {name} (the Debian package is {package})")
        environment = {**self._environment, "GNUPGHOME": str(home)}
        bounds = Bounds(_SUBJECT, _TIMEOUT_S)
        return run((program, *words), bounds, environment=environment, directory=str(home), questions=questions)


_OTHER_KEY = "if the key is a new one of somebody you trust, add it; otherwise do not use this content"


def _fingerprint(ended: Completed) -> str:
    """The primary key's fingerprint, if gpgv's status says: one signature, good, by a key neither expired nor revoked.

    gpgv's exit code alone would not do: it is 0 for revoked keys.
    """
    lines = [line.split()[1:] for line in ended.output.decode("utf-8", "replace").splitlines() if line.count(" ")]
    said = [line[0] for line in lines if line]
    valid = [line for line in lines if line[:1] == ["VALIDSIG"]]
    if "REVKEYSIG" in said:
        raise _untrusted("its key is revoked", _OTHER_KEY)
    if "EXPKEYSIG" in said or "EXPSIG" in said:
        raise _untrusted("it, or its key, has expired", "take the renewed key into the keyring")
    if ended.exit_code or said.count("NEWSIG") != 1 or said.count("GOODSIG") != 1 or len(valid) != 1:
        raise _untrusted("no key of the keyring has made it for this content", _OTHER_KEY)
    if (digest := valid[0][8]) in _FORGEABLE_DIGESTS:
        raise _untrusted(f"it signs a {_FORGEABLE_DIGESTS[digest]} digest, which can be forged", "have it signed anew")
    return valid[0][-1]


def _is(signature: bytes, kind: bytes) -> bool:
    """Whether it is one armoured signature of this kind and nothing else, since what follows would not be signed."""
    begin, end = b"-----BEGIN " + kind + b"-----", b"-----END " + kind + b"-----"
    return signature.startswith(begin) and signature.rstrip().endswith(end) and signature.count(b"-----BEGIN ") == 1


def _without_armour(keyring: bytes) -> bytes:
    """The keys as bytes: gpgv reads no armour."""
    if b"-----BEGIN PGP" not in keyring:
        return keyring
    try:
        return b"".join(base64.b64decode(block["key"]) for block in _ARMOUR.finditer(keyring))
    except binascii.Error as error:
        raise _untrusted("the keyring is damaged", "export it again: gpg --export --armor") from error


def _at_that_time(payload: bytes) -> tuple[str, ...]:
    """Judge by the keys that were good when it was signed, as git does: allowed signers may have dates."""
    found = _SIGNED_AT.search(payload.partition(b"\n\n")[0])
    if found is None:
        return ()
    return ("-O", "verify-time=" + time.strftime("%Y%m%d%H%M%S", time.gmtime(int(found[1]))))


def _untrusted(check: str, remedy: str) -> Untrusted:
    return Untrusted(subject=_SUBJECT, check=quoted(check)[1:-1], remedy=remedy)
