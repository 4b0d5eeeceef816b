"""Notes: what a run reads and says, written down while it happens; at the end they make a receipt."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from agent_sync.receipt.facts import ABSENT, KEY, Facts, Files, Key, Table, changed_ns, identity, key_of
from agent_sync.receipt.hashing import names_digest, variable_digest
from agent_sync.receipt.receipts import Receipt

Known = Mapping[str, tuple[Key, str]]
"""Files by absolute path: the key that each had when it was hashed, and its SHA-256 in hexadecimal digits."""

NO_BYTES = "0" * 64
"""In place of the digest of a file that is not there."""


_TABLES = ("program", "roots", "directories", "listings", "followed")
_OPENING = 16_384  # bytes that are hashed in the time that it takes to open, look and close


class Notes:
    """One run's. What is noted twice must be the same both times: else the world has changed while we looked.

    Paths are absolute, digests hexadecimal. `known` gives what earlier runs have hashed; it is asked once, if at all.
    """

    def __init__(self, *, begun_ns: int, known: Callable[[], Known] = dict) -> None:
        self.begun_ns = begun_ns
        self.spoilt = False
        self._said: list[tuple[int, bytes]] = []
        self._environment: dict[str, str | None] = {}
        self._keys: dict[str, dict[str, Key]] = {name: {} for name in (*_TABLES, "seen")}
        self._digests: dict[str, dict[str, str]] = {"listings": {}, "followed": {}, "seen": {}}
        self._to_hash: set[str] = set()
        self._ask_known = known
        self._known: Known | None = None

    def invalidate(self) -> None:
        """This run's answer cannot be given again: it has changed something, or used what is no fact."""
        self.spoilt = True

    def say(self, descriptor: int, text: bytes) -> None:
        """This was written to descriptor 1 or 2."""
        if text:
            self._said.append((descriptor, text))

    def environment(self, variables: Mapping[str, str]) -> Mapping[str, str]:
        """The same variables; which of them are looked at is noted."""
        return _NotedVariables(variables, self)

    def variable(self, name: str, value: str | None) -> None:
        """An environment variable was looked at."""
        self._environment[name] = value

    def root(self, path: str, key: Key) -> None:
        """The directory at `path`, links followed."""
        self._note("roots", path, identity(key))

    def directory(self, path: str, key: Key) -> None:
        """A directory that was passed through or looked at; what is in it is another matter."""
        self._note("directories", path, identity(key))

    def has_directory(self, path: str) -> bool:
        """Whether the directory at `path` is noted."""
        return path in self._keys["directories"]

    def listing(self, path: str, key: Key, names: Iterable[str]) -> None:
        """The names in a directory, sorted by their bytes; `key` was taken before they were read."""
        digest = names_digest([os.fsencode(name) for name in names]).hex()
        self._note("listings", path, key, digest)

    def followed(self, path: str, key: Key = ABSENT, digest: str = NO_BYTES) -> None:
        """A file that was read through links; `key` is that of the file that was open."""
        self._note("followed", path, key, digest)

    def seen(self, path: str, key: Key = ABSENT) -> None:
        """What stands at `path`, unread; a link is itself."""
        self._note("seen", path, key)

    def key(self, path: str) -> Key | None:
        """The key that was noted of what stands at `path`."""
        return self._keys["seen"].get(path)

    def read(self, path: str, key: Key, digest: str, *, trusting: bool) -> None:
        """A file that was read; without `trusting` it is to be read again before the answer is given again."""
        self._note("seen", path, key, digest)
        if not trusting:
            self._to_hash.add(path)

    def known(self, path: str, key: Key) -> str | None:
        """The digest of the file at `path`, if it was hashed before and has this key still."""
        if self._known is None:
            self._known = self._ask_known()
        found = self._known.get(path)
        return found[1] if found is not None and found[0] == key else None

    def receipt(self, question: str, program: Iterable[str], *, made_s: int, directory: str) -> Receipt | None:
        """The receipt for the question that was asked in `directory`; None if there can be none.

        `program` are the files of the code that has run. OSError if one of them is gone.
        """
        for file in program:
            self._note("program", file, key_of(os.stat(file)))
        if self.spoilt:
            return None
        return Receipt(question, self._said, self._facts(directory), made_s=made_s, begun_ns=self.begun_ns)

    def _note(self, table: str, path: str, key: Key, digest: str | None = None) -> None:
        if self._keys[table].setdefault(path, key) != key:
            self.invalidate()
        if digest is not None and self._digests[table].setdefault(path, digest) != digest:
            self.invalidate()

    def _facts(self, directory: str) -> Facts:
        place = directory.rstrip("/") + "/"
        tables = tuple(_table(self._keys[name], self._digests.get(name), place) for name in _TABLES)
        youngest_ns = max(map(changed_ns, (*self._keys["followed"].values(), *self._trusted().values())), default=0)
        environment = {name: variable_digest(value) for name, value in self._environment.items()}
        return Facts(environment, tables, self._halves(place), youngest_ns=youngest_ns)

    def _halves(self, place: str) -> tuple[Files, Files]:
        keys, digests = self._keys["seen"], self._digests["seen"]
        hashed = _halved({path: keys[path] for path in digests if path in self._to_hash}, lambda key: _OPENING + key[2])
        trusted = _halved(self._trusted())
        seen = _halved({path: key for path, key in keys.items() if path not in digests})
        one, other = (
            Files(_table(each[0], digests, place), _table(each[1], digests, place), _table(each[2], None, place))
            for each in zip(hashed, trusted, seen, strict=True)
        )
        return one, other

    def _trusted(self) -> dict[str, Key]:
        keys, digests = self._keys["seen"], self._digests["seen"]
        return {path: keys[path] for path in digests if path not in self._to_hash}


class _NotedVariables(Mapping[str, str]):
    def __init__(self, variables: Mapping[str, str], notes: Notes) -> None:
        self._variables = variables
        self._notes = notes

    def __getitem__(self, name: str) -> str:
        value = self._variables.get(name)
        self._notes.variable(name, value)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        self._notes.invalidate()  # who looks at all of them looks at more than a receipt should ask about
        return iter(self._variables)

    def __len__(self) -> int:
        self._notes.invalidate()
        return len(self._variables)


def _halved(keys: dict[str, Key], weigh: Callable[[Key], int] = lambda _key: 1) -> list[dict[str, Key]]:
    """The same files in two parts, one behind the other, of about the same weight."""
    left = sum(map(weigh, keys.values())) // 2
    halves: list[dict[str, Key]] = [{}, {}]
    for path, key in keys.items():
        halves[left <= 0][path] = key
        left -= weigh(key)
    return halves


def _table(keys: Mapping[str, Key], digests: Mapping[str, str] | None, place: str) -> Table:
    """`digests` has more than these paths'; what lies in `place` is written relative to it."""
    return Table(
        os.fsencode("\0".join(path.removeprefix(place) for path in keys)),
        b"".join(KEY.pack(*key) for key in keys.values()),
        b"" if digests is None else bytes.fromhex("".join(digests[path] for path in keys)),
    )
