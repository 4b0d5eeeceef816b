"""What `security` comes to when every layer and the machine's policy have spoken: it can only become tighter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agent_sync.config.addresses import PROTOCOLS, Protocol

if TYPE_CHECKING:
    from agent_sync.config.security import Security

Signed = Literal["tag", "commit"]
KINDS_OF_SIGNATURE: tuple[Signed, ...] = ("tag", "commit")


@dataclass(frozen=True, slots=True)
class Signers:
    """Files that say whose signatures count: an ssh signers file (ssh-keygen(1)) and an OpenPGP keyring.

    Each is absolute, or relative to the project root.
    """

    allowed_signers: str | None = None
    keyring: str | None = None


@dataclass(frozen=True, slots=True)
class Safeguards:
    """The demands on a project, in force together; the values here demand nothing.

    Attributes:
        templates: whether template transforms may run.
        custom_transforms: whether custom transforms may run, sandboxed as they are.
        repositories: allow-lists of globs; a git source must be in every one of them.
        protocols: what sources may be fetched with.
        signed: what every git source must have, both if both are named.
    """

    templates: bool = True
    custom_transforms: bool = True
    repositories: tuple[tuple[str, ...], ...] = ()
    protocols: tuple[Protocol, ...] = PROTOCOLS
    signed: tuple[Signed, ...] = ()

    def and_those_of(self, security: Security | None) -> Safeguards:
        """These demands, and those of one more file."""
        if security is None:
            return self
        lists = () if security.repositories is None else (security.repositories,)
        allowed = PROTOCOLS if security.protocols is None else security.protocols
        return Safeguards(
            templates=self.templates and security.templates,
            custom_transforms=self.custom_transforms and security.custom_transforms,
            repositories=(*self.repositories, *lists),
            protocols=tuple(each for each in self.protocols if each in allowed),
            signed=both_signed(self.signed, security.signed),
        )


def safeguards_of(files: Iterable[Security | None]) -> Safeguards:
    """The demands of several files, in force together."""
    demands = Safeguards()
    for security in files:
        demands = demands.and_those_of(security)
    return demands


def both_signed(demanded: Sequence[Signed], more: Signed | None) -> tuple[Signed, ...]:
    """The kinds of signature that are demanded, in order, with one more."""
    return tuple(kind for kind in KINDS_OF_SIGNATURE if kind in (*demanded, more))


def signers_for(own: Signers | None, level: int, named: Sequence[Signers | None]) -> Signers | None:
    """Whose signatures count for a source that was declared at `level`; None if nobody was ever named.

    `named` holds what each file names under `security`, the machine's policy first, the project last. Whoever stands
    before the source's own file replaces what the source names: a project cannot appoint its own judges.
    """
    before = next((each for each in named[:level] if each is not None), None)
    after = next((each for each in named[level:] if each is not None), None)
    return before or own or after
