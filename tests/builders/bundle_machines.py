"""Machines between which bundles go, through the command line: a publisher, receivers that have nothing, policies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agent_sync_oci.signing.keys import KeyPair, generate
from tests.builders.command_line import CommandMachine, a_local_machine
from tests.builders.screens import Told, inside
from tests.real.cosign import PASS_PHRASE

NAME = "acme/agents"
RULES = {"a_md": "a\n" * 200, "b_md": "b\n"}


@dataclass(frozen=True)
class Site:
    """A machine, on which commands run in this process."""

    machine: CommandMachine

    @property
    def directory(self) -> Path:
        """The project."""
        return self.machine.project

    @property
    def store(self) -> Path:
        """The store of this machine's user."""
        return self.machine.home / ".cache" / "agent-sync" / "store"

    def run(
        self, *words: str, code: int | None = 0, at_terminal: bool = False, typed: str = "", **variables: str
    ) -> Told:
        """The program with these words in the project; `code` is what it must end with (None: anything but a fault of
        ours).
        """
        phrase = {"AGENT_SYNC_KEY_PASSWORD": PASS_PHRASE.decode()}
        told = inside(self.machine, at_terminal=at_terminal, typed=typed, **{**phrase, **variables}).run(*words)
        assert told.code != 70, told.err
        assert "Traceback" not in told.err
        assert code in (None, told.code), f"exit code {told.code} instead of {code}\n{told.out}{told.err}"
        return told

    def put(self, path: str, content: str | bytes) -> None:
        """A file of the project."""
        self.machine.put(path, content)

    def publish(self, place: str, *more: str) -> str:
        """Pushed, under NAME and signed with the key `release`; the digest comes back."""
        words = ("push", place, "--name", NAME, "--sign", "--key", "release.key", "--json", *more)
        return str(self.run(*words).document["digest"])


def a_publisher(directory: Path, config: str = "", **rules: str) -> Site:
    """A locked project with one local source, and the key `release`."""
    directory.mkdir()
    site = Site(a_local_machine(directory, config, **(rules or RULES)))
    site.run("update", "--yes")
    put_key(site, "release")
    return site


def a_receiver(directory: Path, *keys: str, threshold: int = 1) -> Site:
    """A machine with nothing but a policy that names these keys (`release`, if none is named)."""
    for part in ("project", "home"):
        (directory / part).mkdir(parents=True)
    site = Site(CommandMachine(directory / "project", directory / "home"))
    put_policy(site, *(keys or ("release",)), threshold=threshold)
    return site


def put_key(site: Site, name: str) -> None:
    """`name.key` and `name.pub` are in the project; the same name is the same key everywhere."""
    site.put(f"{name}.key", _pair(name).private_pem)
    site.put(f"{name}.pub", _pair(name).public_pem)


def put_policy(site: Site, *keys: str, threshold: int = 1, bundle: str = NAME, more: str = "") -> None:
    """`policy.yaml`, which demands these keys' signatures for bundles of this name; the keys lie beside it."""
    for name in keys:
        site.put(f"keys/{name}.pub", _pair(name).public_pem)
    signers = ", ".join(f"{{key: keys/{name}.pub}}" for name in keys)
    rule = f"{{bundle: '{bundle}', threshold: {threshold}, transparency_log: optional, signers: [{signers}]}}"
    site.put("policy.yaml", f"trust:\n  rules:\n  - {rule}\n{more}")


@cache
def _pair(name: str) -> KeyPair:
    del name
    return generate(PASS_PHRASE)
