"""What an answer says, read with suspicion: its status, its length, its digest, its body."""

from __future__ import annotations

import json
import re

import httpx

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import ContentLies, NotFound, RegistryFault, TooMuch, shown
from agent_sync_oci.registry.remote.persistence import asked_to_wait_s

_MOST_WORDS = 64 * 1024  # bytes of an answer that says what went wrong
_CODE = re.compile(r"[A-Z][A-Z_]{0,63}")  # distribution spec 1.1, "Error Codes"
_LENGTH = re.compile(r"[0-9]{1,19}")
_ANOTHER_PLACE = "fetch it from another place; this one cannot be trusted with it"

_REMEDIES = {
    401: "log in with `docker login`, or see that the credentials are right",
    403: "see that your account may do this here",
    404: "see that the name is right, and that your account may see it",
    429: "wait, or log in: registries allow more to those they know",
}


def expect(answer: httpx.Response, *statuses: int, subject: str) -> None:
    """Nothing, if the answer has one of these statuses and is sent as it is. Raises NotFound, RegistryFault."""
    if answer.status_code not in statuses:
        raise _refusal(answer, subject)
    encoding = answer.headers.get("content-encoding", "").lower()
    if encoding not in ("", "identity"):
        raise RegistryFault(
            subject=subject,
            check=f"the registry sent it encoded ({shown(encoding)}), though asked not to",
            remedy="see what stands between here and the registry: a registry does not do that",
        )


def length_of(answer: httpx.Response) -> int | None:
    """The Content-Length; None if there is none that makes sense."""
    text = answer.headers.get("content-length", "")
    return int(text) if _LENGTH.fullmatch(text) else None


def media_type_of(answer: httpx.Response) -> str | None:
    """The Content-Type without its parameters."""
    text: str = answer.headers.get("content-type", "")
    return text.partition(";")[0].strip() or None


def body_of(answer: httpx.Response, *, max_bytes: int, subject: str) -> bytes:
    """The whole body. Raises TooMuch, before reading it if its length is announced."""
    announced = length_of(answer) or 0
    body = bytearray()
    if announced <= max_bytes:
        for piece in answer.iter_raw():
            body += piece
            if len(body) > max_bytes:
                break
        else:
            return bytes(body)
    raise TooMuch(subject=subject, check=f"it has more than {max_bytes} bytes, and no more are read")


def shown_place(url: httpx.URL) -> str:
    """As much of an address as cannot be a secret."""
    return shown(f"{url.scheme}://{url.netloc.decode('ascii')}")


def agree_on_digest(answer: httpx.Response, digest: Digest, *, subject: str) -> None:
    """Nothing, if the registry says no other digest of what it has. Raises ContentLies."""
    said = answer.headers.get("docker-content-digest")
    if said is not None and said != digest:
        raise ContentLies(
            subject=subject,
            check=f"the registry says that its digest is {shown(said)}, and it is {digest}",
            remedy=_ANOTHER_PLACE,
        )


def _refusal(answer: httpx.Response, subject: str) -> RegistryFault:
    status = answer.status_code
    kind = NotFound if status == 404 else RegistryFault
    check = f"the registry answered {status}{_explanation(answer)}"
    wait_s = asked_to_wait_s(answer)
    if wait_s:
        check += f", and asks to wait {wait_s:.0f} s"
    return kind(subject=subject, check=check, remedy=_REMEDIES.get(status, "try again later, or ask who runs it"))


def _explanation(answer: httpx.Response) -> str:
    """The code and message of the first error in the body (distribution spec 1.1, "Error Codes"), if it has one."""
    if answer.request.method == "HEAD":
        return ""
    try:
        body = body_of(answer, max_bytes=_MOST_WORDS, subject="")
        first = json.loads(body)["errors"][0]
        code, message = first["code"], first.get("message", "")
    except (TooMuch, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return ""
    return f" {code}" + (f": {shown(message)}" if message else "")
