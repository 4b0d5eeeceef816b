"""The kinds of text and number in a configuration, each validated where it is read, with an error of its own."""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic.fields import FieldInfo

from agent_sync.errors import UnsafePath
from agent_sync.sources.addresses import protocol_of
from agent_sync.sources.fields import (
    Check,
    CheckWithin,
    Flag,
    InvalidValue,
    Line,
    Strict,
    Surroundings,
    check_key_file,
    check_pattern,
)
from agent_sync.tree.names import RelPath, is_absolute, output_directory, project_path, safe_path
from agent_sync_oci.text import holds_credential, quoted, redact

# -- sizes and durations -----------------------------------------------------------------------------------------------

_SIZE_PATTERN = r"(?ai)(\d{1,15}(?:\.\d{1,6})?) ?(B|KB|MB|GB|KiB|MiB|GiB)?"
_BYTES = {
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_DURATION_PATTERN = r"(?a)(\d{1,9}(?:\.\d{1,6})?) ?(s|m)?"
_SECONDS = {"s": 1.0, "m": 60.0}


def parse_size(text: str) -> int:
    """Return the number of bytes that `100MB`, `1 GiB` or `4096` means. ValueError for anything else, zero included."""
    match = re.fullmatch(_SIZE_PATTERN, text)
    size = 0 if match is None else round(float(match[1]) * _BYTES[(match[2] or "b").lower()])
    if size < 1:
        raise ValueError(f"not a size: {text[:40]!r}")
    return size


def parse_duration(text: str) -> float:
    """Return the number of seconds that `120s`, `2m` or `2` means. ValueError for anything else, zero included."""
    match = re.fullmatch(_DURATION_PATTERN, text)
    seconds = 0.0 if match is None else float(match[1]) * _SECONDS[match[2] or "s"]
    if seconds <= 0:
        raise ValueError(f"not a duration: {text[:40]!r}")
    return seconds


# -- kinds of text and number ------------------------------------------------------------------------------------------


def describe(description: str, *, example: object = None) -> FieldInfo:
    """Describe a key, for the JSON Schema and for the remedy where the key is missing."""
    return FieldInfo(description=description, examples=None if example is None else [example])


def _name(text: str) -> str:
    """Check a name: it may become a file name and is an argument of the command line, so it has to be fit for both."""
    if text.startswith("-") or text != text.strip():
        raise InvalidValue(
            f"the name {quoted(text)} begins with a dash or has a space at an end", "choose another name"
        )
    try:
        return safe_path(text, subject="")
    except UnsafePath as error:
        check = error.check.replace("the path", "the name", 1)
        raise InvalidValue(
            check, "choose another name: letters, digits, dots and dashes always do", is_unsafe=True
        ) from error


def _project_path(text: str) -> RelPath:
    try:
        return project_path(text, subject="")
    except UnsafePath as error:
        raise InvalidValue.of(error) from error


def _output_directory(text: str) -> RelPath:
    try:
        return output_directory(text, subject="")
    except UnsafePath as error:
        raise InvalidValue.of(error) from error


def _repository_glob(text: str) -> str:
    if protocol_of(text) == "file" and "://" not in text and not text.startswith(("/", ".", "*")):
        remedy = f"write the whole address: https://{redact(text)}"
        raise InvalidValue(f"the glob {quoted(text)} has no scheme, so it would match nothing", remedy)
    return check_pattern(text)


def _cache(text: str) -> str:
    if holds_credential(text):
        raise InvalidValue(
            "the address contains a password or token", "remove it, and log in, for example with `docker login`"
        )
    return text


def _own_key_file(text: str, around: Surroundings) -> str:
    if around.of_machine and not is_absolute(text):
        remedy = "write the absolute path: below a project's root the project itself would say whom to trust"
        raise InvalidValue(f"the path {quoted(text)} is relative", remedy)
    return check_key_file(text, around)


def _trust_file(text: str, around: Surroundings) -> str:
    """Resolve a file: relative to the one that names it for the machine and the user, below the root for a project."""
    if around.of_machine:
        return posixpath.join(around.directory, text)
    return _project_path(text)


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidValue(f"cannot be split into words: {str(error).lower()}", "balance the quotes") from error
    if not words:
        raise InvalidValue("is empty", "name a program")
    if "/" in words[0]:
        _refuse_program_outside(words[0])
    return text


def _refuse_program_outside(program: str) -> None:
    try:
        project_path(program, subject="")
    except UnsafePath as error:
        remedy = "name a program of /usr/bin or /bin without its directory, or a path below the project root"
        raise InvalidValue.of(error, remedy) from error


def _size(value: Any) -> Any:  # noqa: ANN401  # whatever the file holds
    try:
        return parse_size(str(value))
    except ValueError as error:
        remedy = "write bytes, or a number with KB, MB, GB, KiB, MiB or GiB: 100MB"
        raise InvalidValue(f"{quoted(str(value))} is not a size", remedy) from error


def _duration(value: Any) -> Any:  # noqa: ANN401  # whatever the file holds
    try:
        return parse_duration(str(value))
    except ValueError as error:
        remedy = "write seconds or minutes: 120, 120s, 2m"
        raise InvalidValue(f"{quoted(str(value))} is not a duration", remedy) from error


def _on_off(value: Any) -> Any:  # noqa: ANN401  # `on` is a boolean to some readers of YAML and text to others
    if isinstance(value, bool) or value in ("on", "off"):
        return value in (True, "on")
    raise InvalidValue(f"must be `on` or `off`, not {quoted(str(value))}", None)


def _sandboxed_off(value: Any) -> Any:  # noqa: ANN401  # as above
    if value is False or value == "off":
        return False
    if value == "sandboxed":
        return True
    raise InvalidValue("must be `sandboxed` or `off`", "a command never runs outside the sandbox")


_SIZE_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": "^[0-9]+([.][0-9]+)? ?([KkMmGg][Ii]?)?[Bb]?$"},
    ]
}
_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": "^[0-9]+([.][0-9]+)? ?[sm]?$"},
    ]
}

Name = Annotated[Line, Check(_name)]
ProjectPath = Annotated[RelPath, Strict(), Check(_project_path)]
OutputDirectory = Annotated[RelPath, Strict(), Check(_output_directory)]
RepositoryGlob = Annotated[Line, Check(_repository_glob)]
CacheReference = Annotated[Line, Check(_cache)]
OwnKeyFile = Annotated[Line, CheckWithin(_own_key_file)]
TrustFile = Annotated[Line, CheckWithin(_trust_file)]
CommandLine = Annotated[Line, Check(_command)]
Count = Annotated[int, Strict(), Field(ge=1)]
Size = Annotated[int, BeforeValidator(_size), WithJsonSchema(_SIZE_SCHEMA)]
Duration = Annotated[float, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
OnOff = Annotated[Flag, BeforeValidator(_on_off), WithJsonSchema({"enum": ["on", "off", True, False]})]
SandboxedOff = Annotated[Flag, BeforeValidator(_sandboxed_off), WithJsonSchema({"enum": ["sandboxed", "off", False]})]
