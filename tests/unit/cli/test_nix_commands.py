"""`agent-sync nix` in a real project: what each command says, its document, its exit code. None of it needs Nix."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.builders.command_line import CommandMachine, a_local_machine
from tests.builders.result_documents import documented_fields, verb_of
from tests.builders.screens import Told, inside


@pytest.fixture
def machine(tmp_path: Path) -> CommandMachine:
    machine = a_local_machine(tmp_path, a_md="a\n", b_md="b\n")
    assert inside(machine).run("update", "--yes").code == 0
    return machine


def run(machine: CommandMachine, *words: str, code: int = 0) -> Told:
    told = inside(machine).run(*words)
    assert told.code == code, told
    return told


@pytest.mark.parametrize("words", [("hash", "rules"), ("export", "cache")])
def test_every_document_has_the_fields_that_are_documented(machine: CommandMachine, words: tuple[str, str]) -> None:
    document = run(machine, "--json", "nix", *words).document
    verb = verb_of(f"nix {words[0]}")
    assert document.keys() == documented_fields(verb.name)
    assert document["command"] == verb.name == f"nix {words[0]}"


@pytest.mark.parametrize("words", [("hash", "rules"), ("export", "cache")])
def test_quiet_says_nothing(machine: CommandMachine, words: tuple[str, str]) -> None:
    told = run(machine, "nix", *words, "--quiet")
    assert (told.out, told.err) == ("", "")


def test_hash_prints_the_hash_that_the_lock_has(machine: CommandMachine) -> None:
    locked = machine.locked("rules")["resolved"]["narHash"]
    assert run(machine, "nix", "hash", "rules").out == f"{locked}\n"
    document = run(machine, "nix", "hash", "./rules/", "--json").document
    assert document["narHash"] == locked


def test_export_prints_each_path_and_what_it_is(machine: CommandMachine) -> None:
    told = run(machine, "nix", "export", "./a/../cache")
    [path, what] = told.out.rstrip("\n").split("  ")
    assert what == "source rules"
    assert path.startswith("/nix/store/")
    assert (machine.project / "cache" / "nix-cache-info").is_file()
    document = run(machine, "nix", "export", "cache", "--json").document
    assert document["paths"] == [{"path": path, "what": what}]
    assert document["directory"] == str(machine.project / "cache")
    assert document["signed"] is False


def test_export_signs_with_a_key_in_a_file(machine: CommandMachine) -> None:
    private = Ed25519PrivateKey.generate()
    secret = b64encode(private.private_bytes_raw() + private.public_key().public_bytes_raw()).decode()
    machine.put("secret", f"example.com-1:{secret}\n")
    assert run(machine, "nix", "export", "cache", "--sign", "secret", "--json").document["signed"] is True
    [info] = (machine.project / "cache").glob("*.narinfo")
    assert "\nSig: example.com-1:" in info.read_text()


def test_a_key_that_is_not_there_or_none_is_wrong_usage_and_writes_nothing(machine: CommandMachine) -> None:
    assert "no such file" in run(machine, "nix", "export", "cache", "--sign", "nothing", code=2).err
    machine.put("secret", "do not tell")
    told = run(machine, "nix", "export", "cache", "--sign", "secret", code=2)
    assert "not a name, a colon, and" in told.err
    assert "do not tell" not in told.out + told.err
    assert not machine.exists("cache")


def test_without_a_lock_there_is_nothing_to_export(machine: CommandMachine) -> None:
    (machine.project / "agent-sync.lock").unlink()
    assert "agent-sync update" in run(machine, "nix", "export", "cache", code=4).err
    assert not machine.exists("cache")


def test_import_without_nix_is_an_error_of_the_machine(machine: CommandMachine) -> None:
    elsewhere = CommandMachine(machine.project, machine.home, {**machine.variables, "PATH": str(machine.home)})
    told = run(elsewhere, "nix", "import", code=17)
    assert "cannot be started" in told.err
    assert "error[file-system]: program nix: " in told.err


def test_cache_verify_computes_the_nar_hash_anew(machine: CommandMachine) -> None:
    run(machine, "sync")
    assert run(machine, "cache", "verify").code == 0
    locked = machine.locked("rules")["resolved"]["narHash"]
    lie = f"sha256-{'A' * 43}="
    machine.put("agent-sync.lock", machine.lock_bytes.replace(locked.encode(), lie.encode()))
    run(machine, "sync")
    told = run(machine, "cache", "verify", code=4)
    assert f"the narHash is {locked}, the lock says {lie}" in told.err + told.out
