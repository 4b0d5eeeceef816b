"""The kinds of text and number in a configuration, each validated where it is read, with an error of its own."""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, Strict, ValidationInfo, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from agent_sync.errors import InvalidReference, UnsafePath
from agent_sync.sources.addresses import protocol_of, repository_problem, url_problem
from agent_sync.tree.globs import Globs
from agent_sync.tree.names import RelPath, is_absolute, output_directory, project_path, safe_path
from agent_sync_oci.digest import Digest
from agent_sync_oci.redaction import holds_credential, redact
from agent_sync_oci.reference import RegistryReference, parse_reference
from agent_sync_oci.text import CONTROLS, LINE_SEPARATORS, quoted

# -- Sizes and durations as people write them -> bytes and seconds.

_SIZE_PATTERN = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?(B|KB|MB|GB|KiB|MiB|GiB)?", re.ASCII | re.IGNORECASE)
_BYTES = {
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_DURATION_PATTERN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?(s|m)", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0}


def parse_size(text: str) -> int:
    """The number of bytes that `100MB`, `1 GiB` or `4096` means. ValueError for anything else, zero included."""
    match = _SIZE_PATTERN.fullmatch(text)
    size = 0 if match is None else round(float(match[1]) * _BYTES[(match[2] or "b").lower()])
    if size < 1:
        raise ValueError(f"not a size: {text[:40]!r}")
    return size


def parse_duration(text: str) -> float:
    """The number of seconds that `120s` or `2m` means. ValueError for anything else, zero included."""
    match = _DURATION_PATTERN.fullmatch(text)
    seconds = 0.0 if match is None else float(match[1]) * _SECONDS[match[2]]
    if seconds <= 0:
        raise ValueError(f"not a duration: {text[:40]!r}")
    return seconds


# -- The kinds of text and number in a configuration: each is checked where it is read, and says what is wrong.

INVALID, UNSAFE = "invalid", "unsafe_path"
_CREDENTIAL_REMEDY = (
    "take it out and leave it to a git credential helper, the ssh agent or ~/.netrc; a user name alone is fine"
)
_UNSEEN = f"[{CONTROLS}{LINE_SEPARATORS}]"


def describe(description: str, *, example: object = None) -> FieldInfo:
    """What a key is for, for the JSON Schema and for the remedy where the key is missing."""
    return FieldInfo(description=description, examples=None if example is None else [example])


def invalid(check: str, remedy: str | None = None, *, kind: str = INVALID) -> PydanticCustomError:
    """What is wrong with a value, for `problems` to turn into an error: `kind` UNSAFE makes it an UnsafePath."""
    return PydanticCustomError(kind, "{check}", {"check": check, "remedy": remedy})


def unsafe(error: UnsafePath, remedy: str | None = None) -> PydanticCustomError:
    """The same for a path that was refused."""
    return invalid(error.check, remedy or error.remedy, kind=UNSAFE)


def _line(text: str) -> str:
    if not text.strip():
        raise invalid("is empty", "give it a value, or leave the key out")
    if (unseen := re.search(_UNSEEN, text)) is not None:
        raise invalid(f"contains the character U+{ord(unseen[0]):04X}, which is not shown", "take it out")
    return text


def _name(text: str) -> str:
    """A name may end up as a file name and is an argument of the command line, so it has to be fit for both."""
    if text.startswith("-") or text != text.strip():
        raise invalid(f"the name {quoted(text)} begins with a dash or has a space at an end", "choose another name")
    try:
        return safe_path(text, subject="")
    except UnsafePath as error:
        check = error.check.replace("the path", "the name", 1)
        raise invalid(check, "choose another name: letters, digits, dots and dashes always do", kind=UNSAFE) from error


def _project_path(text: str) -> RelPath:
    try:
        return project_path(text, subject="")
    except UnsafePath as error:
        raise unsafe(error) from error


def _declared_path(text: str) -> str:
    """Checked, but kept as it is spelt: the lock records the declaration, not our reading of it."""
    _project_path(text)
    return text


def _output_directory(text: str) -> RelPath:
    try:
        return output_directory(text, subject="")
    except UnsafePath as error:
        raise unsafe(error) from error


def _glob(text: str) -> str:
    if text.startswith("/") or "\\" in text or ".." in text.split("/"):
        remedy = "write a glob relative to the source, with `/` between the names"
        raise invalid(f"the glob {quoted(text)} is absolute, has a backslash or a `..`", remedy, kind=UNSAFE)
    return _compiled(text)


def _repository_glob(text: str) -> str:
    if protocol_of(text) == "file" and "://" not in text and not text.startswith(("/", ".", "*")):
        remedy = f"write the whole address: https://{redact(text)}"
        raise invalid(f"the glob {quoted(text)} has no scheme, so it would match nothing", remedy)
    return _compiled(text)


def _compiled(text: str) -> str:
    try:
        Globs((text,))
    except re.error as error:
        raise invalid(
            f"the glob {quoted(text)} has a character range that makes no sense", "correct `[...]`"
        ) from error
    return text


def _repository(text: str) -> str:
    _refuse_credential(text)
    if (wrong := repository_problem(text)) is not None:
        remedy = "write https://host/path, ssh://host/path, git@host:path, file:///path or a plain path"
        raise invalid(f"the address {quoted(redact(text))} {wrong}", remedy)
    return text


def _url(text: str) -> str:
    _refuse_credential(text)
    if (wrong := url_problem(text)) is not None:
        remedy = "write a whole address; for a file of this machine use `type: local`"
        raise invalid(f"the address {quoted(redact(text))} {wrong}", remedy)
    return text


def _artifact_reference(text: str) -> str:
    try:
        place = parse_reference(text)
    except InvalidReference as error:
        raise invalid(error.check, error.remedy) from error
    if not isinstance(place, RegistryReference):
        raise invalid(f"{quoted(text)} is no registry's", "write HOST/REPOSITORY:TAG; a bundle in a file is for `pull`")
    if place.wanted is None:
        raise invalid(f"{quoted(text)} names neither a tag nor a digest", "append :TAG or @sha256:...")
    return text


def _cache(text: str) -> str:
    if holds_credential(text):
        raise invalid("a password or token stands in the address", "take it out, and log in with `docker login` or so")
    return text


def _refuse_credential(text: str) -> None:
    if holds_credential(text):
        raise invalid("a password or token stands in the address", _CREDENTIAL_REMEDY)


def _ref(text: str) -> str:
    remedy = "name a tag, branch or commit"
    if text.startswith("-"):
        raise invalid(f"{quoted(text)} begins with a dash, which git would take for an option", remedy)
    if any(character.isspace() for character in text):
        raise invalid(f"{quoted(text)} has a space in it, which no tag or branch can have", remedy)
    return text


def _digest(text: str) -> Digest:
    algorithm, _, digits = text.partition(":")
    try:
        return Digest.from_hex(digits.lower() if algorithm.lower() == "sha256" else "")
    except ValueError as error:
        check = f"{quoted(text)} is not `sha256:` and 64 hexadecimal digits"
        if algorithm.lower() == "sha256" and re.fullmatch(r"[0-9A-Fa-f]+", digits):
            check += f", it has {len(digits)}"
        remedy = "run `sha256sum` on the file that you looked at, and write `sha256:` and what it prints"
        raise invalid(check, remedy) from error


def _key_file(text: str, info: ValidationInfo) -> str:
    """Below the root in a project's file; in the machine's and the user's own files it may lie anywhere."""
    if is_absolute(text) and (info.context is None or info.context["of_machine"]):
        return text
    return _project_path(text)


def _own_key_file(text: str, info: ValidationInfo) -> str:
    if info.context is not None and info.context["of_machine"] and not is_absolute(text):
        remedy = "write the absolute path: below a project's root the project itself would say whom to trust"
        raise invalid(f"the path {quoted(text)} is relative", remedy)
    return _key_file(text, info)


def _trust_file(text: str, info: ValidationInfo) -> str:
    """In the machine's and the user's files relative to the file that names it; in a project's, below the root."""
    if info.context is not None and info.context["of_machine"]:
        return posixpath.join(info.context["directory"], text)
    return _project_path(text)


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise invalid(f"it cannot be split into words: {str(error).lower()}", "balance the quotes") from error
    if not words:
        raise invalid("it is empty", "name a program")
    if "/" in words[0]:
        _refuse_program_outside(words[0])
    return text


def _refuse_program_outside(program: str) -> None:
    try:
        project_path(program, subject="")
    except UnsafePath as error:
        remedy = "name a program of /usr/bin or /bin without its directory, or a path below the project root"
        raise unsafe(error, remedy) from error


def _size(value: Any) -> Any:  # noqa: ANN401  # whatever the file holds
    try:
        return parse_size(str(value))
    except ValueError as error:
        remedy = "write bytes, or a number with KB, MB, GB, KiB, MiB or GiB: 100MB"
        raise invalid(f"{quoted(str(value))} is not a size", remedy) from error


def _duration(value: Any) -> Any:  # noqa: ANN401  # whatever the file holds
    try:
        return parse_duration(str(value))
    except ValueError as error:
        remedy = "write seconds or minutes with their unit: 120s, 2m"
        raise invalid(f"{quoted(str(value))} is not a duration", remedy) from error


def _on_off(value: Any) -> Any:  # noqa: ANN401  # `on` is a boolean to some readers of YAML and text to others
    if isinstance(value, bool) or value in ("on", "off"):
        return value in (True, "on")
    raise invalid(f"must be `on` or `off`, not {quoted(str(value))}", None)


def _sandboxed_off(value: Any) -> Any:  # noqa: ANN401  # as above
    if value is False or value == "off":
        return False
    if value == "sandboxed":
        return True
    raise invalid("must be `sandboxed` or `off`", "there is no way to run a command outside the sandbox")


_Text = Annotated[str, Strict()]
_DIGEST_SCHEMA = {"type": "string", "pattern": "^[sS][hH][aA]256:[0-9A-Fa-f]{64}$"}
_SIZE_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": "^[0-9]+([.][0-9]+)? ?([KkMmGg][Ii]?)?[Bb]?$"},
    ]
}
_DURATION_SCHEMA = {"type": "string", "pattern": "^[0-9]+([.][0-9]+)? ?[sm]$"}

Line = Annotated[_Text, AfterValidator(_line)]
Name = Annotated[Line, AfterValidator(_name)]
ProjectPath = Annotated[RelPath, Strict(), AfterValidator(_project_path)]
DeclaredPath = Annotated[_Text, AfterValidator(_declared_path)]
OutputDirectory = Annotated[RelPath, Strict(), AfterValidator(_output_directory)]
Glob = Annotated[Line, AfterValidator(_glob)]
RepositoryGlob = Annotated[Line, AfterValidator(_repository_glob)]
Repository = Annotated[Line, AfterValidator(_repository)]
Url = Annotated[Line, AfterValidator(_url)]
CacheReference = Annotated[Line, AfterValidator(_cache)]
ArtifactReference = Annotated[Line, AfterValidator(_artifact_reference)]
Ref = Annotated[Line, AfterValidator(_ref)]
DigestText = Annotated[Line, AfterValidator(_digest), WithJsonSchema(_DIGEST_SCHEMA)]
KeyFile = Annotated[Line, AfterValidator(_key_file)]
OwnKeyFile = Annotated[Line, AfterValidator(_own_key_file)]
TrustFile = Annotated[Line, AfterValidator(_trust_file)]
CommandLine = Annotated[Line, AfterValidator(_command)]
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=1)]
Size = Annotated[int, BeforeValidator(_size), WithJsonSchema(_SIZE_SCHEMA)]
Duration = Annotated[float, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
OnOff = Annotated[Flag, BeforeValidator(_on_off), WithJsonSchema({"enum": ["on", "off", True, False]})]
SandboxedOff = Annotated[Flag, BeforeValidator(_sandboxed_off), WithJsonSchema({"enum": ["sandboxed", "off", False]})]
