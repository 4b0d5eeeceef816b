"""The kinds of text in a declaration, each with its check: light annotations that the configuration's models read.

pydantic asks the markers for their schema when a model is made of a declaration; before that nothing here loads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from agent_sync.errors import InvalidReference, UnsafePath
from agent_sync.sources.addresses import repository_problem, url_problem
from agent_sync.tree.names import Globs, is_absolute, project_path
from agent_sync_oci.digest import Digest
from agent_sync_oci.records import record
from agent_sync_oci.text import CONTROLS, LINE_SEPARATORS, holds_credential, quoted, redact

_CREDENTIAL_REMEDY = (
    "remove the secret, and use a git credential helper, the ssh agent, or ~/.netrc; a user name alone is fine"
)
_UNSEEN = f"[{CONTROLS}{LINE_SEPARATORS}]"


class InvalidValue(ValueError):
    """A value that cannot be used: what is wrong with it, and what to write instead."""

    def __init__(self, check: str, remedy: str | None = None, *, is_unsafe: bool = False) -> None:
        super().__init__(check)
        self.check = check
        self.remedy = remedy
        self.is_unsafe = is_unsafe

    @classmethod
    def of(cls, error: UnsafePath, remedy: str | None = None) -> InvalidValue:
        """Return the same for a path that was refused."""
        return cls(error.check, remedy or error.remedy, is_unsafe=True)


class Surroundings(NamedTuple):
    """What a check may see beside its value: the fields before it; whether the file is the machine's or the user's own.

    `of_machine` is None where there is no file; `directory` is where the file is.
    """

    values: Mapping[str, Any]
    of_machine: bool | None
    directory: str


@record(eq=False)
class About:
    """What a field is for: for the JSON Schema, and for the remedy where the field is missing."""

    description: str
    example: object = None


class Strict:
    """The value must be of its type: a number is no text."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        return {**handler(source), "strict": True}


@record(eq=False)
class Check:
    """A check of a value, which it may also normalize; it raises InvalidValue. `schema` is its JSON Schema, if any."""

    function: Callable[[str], str]
    schema: Mapping[str, object] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.function, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        return handler(schema) if self.schema is None else dict(self.schema)


@record(eq=False)
class CheckWithin:
    """A check that depends on what surrounds the value."""

    function: Callable[[str, Surroundings], str]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        from pydantic_core import core_schema

        def check(value: str, info: Any) -> str:  # noqa: ANN401
            context = info.context or {"of_machine": None, "directory": ""}
            return self.function(value, Surroundings(info.data or {}, context["of_machine"], context["directory"]))

        return core_schema.with_info_after_validator_function(check, handler(source))


def check_line(text: str) -> str:
    """Check that something can be seen, and nothing is hidden."""
    if not text.strip():
        raise InvalidValue("is empty", "give it a value, or leave the key out")
    if (unseen := re.search(_UNSEEN, text)) is not None:
        raise InvalidValue(f"contains the invisible character U+{ord(unseen[0]):04X}", "remove it")
    return text


def check_path(text: str) -> str:
    """Check a path below the root; it stays as written, since the lock records the declaration."""
    try:
        project_path(text, subject="")
    except UnsafePath as error:
        raise InvalidValue.of(error) from error
    return text


def check_glob(text: str) -> str:
    """Check a glob over the paths of a source."""
    if text.startswith("/") or "\\" in text or ".." in text.split("/"):
        remedy = "write a glob relative to the source, with `/` between the names"
        raise InvalidValue(f"the glob {quoted(text)} is absolute, has a backslash or a `..`", remedy, is_unsafe=True)
    return check_pattern(text)


def check_pattern(text: str) -> str:
    """Check that a glob can be compiled."""
    try:
        Globs((text,))
    except re.error as error:
        raise InvalidValue(f"the glob {quoted(text)} has an invalid character range", "correct `[...]`") from error
    return text


def check_repository(text: str) -> str:
    """Check the address of a repository."""
    remedy = "write https://host/path, ssh://host/path, git@host:path, file:///path or a plain path"
    return _check_address(text, repository_problem, remedy)


def check_url(text: str) -> str:
    """Check the address of a file."""
    return _check_address(text, url_problem, "write a whole address; for a file of this machine use `type: local`")


def check_reference(text: str) -> str:
    """Check the reference of an artifact in a registry."""
    from agent_sync_oci.reference import RegistryReference, parse_reference

    try:
        reference = parse_reference(text)
    except InvalidReference as error:
        raise InvalidValue(error.check, error.remedy) from error
    if not isinstance(reference, RegistryReference):
        remedy = "write HOST/REPOSITORY:TAG; a bundle in a file is for `pull`"
        raise InvalidValue(f"{quoted(text)} names no registry", remedy)
    if reference.wanted is None:
        raise InvalidValue(f"{quoted(text)} names neither a tag nor a digest", "append :TAG or @sha256:...")
    return text


def check_ref(text: str) -> str:
    """Check the name of a tag, branch or commit."""
    remedy = "name a tag, branch or commit"
    if text.startswith("-"):
        raise InvalidValue(f"{quoted(text)} begins with a dash, which git would take for an option", remedy)
    if any(character.isspace() for character in text):
        raise InvalidValue(f"{quoted(text)} has a space in it, which no tag or branch can have", remedy)
    return text


def check_digest(text: str) -> Digest:
    """Check and normalize `sha256:` and 64 digits."""
    algorithm, _, digits = text.partition(":")
    try:
        return Digest.from_hex(digits.lower() if algorithm.lower() == "sha256" else "")
    except ValueError as error:
        check = f"must be `sha256:` and 64 hexadecimal digits, not {quoted(text)}"
        if algorithm.lower() == "sha256" and re.fullmatch(r"[0-9A-Fa-f]+", digits):
            check += f", which has {len(digits)}"
        remedy = "write `sha256:` and the digits that this command prints: sha256sum FILE"
        raise InvalidValue(check, remedy) from error


def check_key_file(text: str, around: Surroundings) -> str:
    """Check a key file: below the root in a project's file, anywhere in the machine's and the user's own files."""
    if is_absolute(text) and around.of_machine is not False:
        return text
    try:
        return project_path(text, subject="")
    except UnsafePath as error:
        raise InvalidValue.of(error) from error


def _check_address(text: str, problem: Callable[[str], str | None], remedy: str) -> str:
    if holds_credential(text):
        raise InvalidValue("the address contains a password or token", _CREDENTIAL_REMEDY)
    if (wrong := problem(text)) is not None:
        raise InvalidValue(f"the address {quoted(redact(text))} {wrong}", remedy)
    return text


_DIGEST_SCHEMA = {"type": "string", "pattern": "^[sS][hH][aA]256:[0-9A-Fa-f]{64}$"}

Text = Annotated[str, Strict()]
Line = Annotated[Text, Check(check_line)]
DeclaredPath = Annotated[Text, Check(check_path)]
Glob = Annotated[Line, Check(check_glob)]
Repository = Annotated[Line, Check(check_repository)]
Url = Annotated[Line, Check(check_url)]
ArtifactReference = Annotated[Line, Check(check_reference)]
Ref = Annotated[Line, Check(check_ref)]
DigestText = Annotated[Line, Check(check_digest, schema=_DIGEST_SCHEMA)]
KeyFile = Annotated[Line, CheckWithin(check_key_file)]
Flag = Annotated[bool, Strict()]
