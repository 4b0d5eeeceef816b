"""Record what a run reads and prints, and save it as a receipt when the run ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from agent_sync.receipt.facts import (
    ABSENT,
    STAT_KEY,
    Facts,
    Files,
    Receipt,
    StatKey,
    Table,
    changed_ns,
    from_bytes,
    identity,
    names_digest,
    stat_key,
    to_bytes,
    variable_digest,
)
from agent_sync.receipt.replay import racy_from
from agent_sync.receipt.store import directory_prefix, newest_receipt, receipt_key, receipts_directory, write_receipt

# -- recording ---------------------------------------------------------------------------------------------------------

Known = Mapping[str, tuple[StatKey, str]]
"""Files by absolute path: the key that each had when it was hashed, and its SHA-256 in hexadecimal digits."""

NO_DIGEST = "0" * 64
"""In place of the digest of a file that is not there."""


_TABLES = ("program", "roots", "directories", "listings", "followed")
_OPEN_COST_BYTES = 16_384  # bytes that are hashed in the time that it takes to open, look and close


class Recorder:
    """The record of one run. A fact that is recorded twice must be the same both times: else the world has changed
    meanwhile.

    Paths are absolute, digests hexadecimal. `known` returns what earlier runs have hashed; it is called once, if at
    all.
    """

    def __init__(self, *, started_ns: int, known: Callable[[], Known] = dict) -> None:
        self.started_ns = started_ns
        self.invalidated = False
        self._output: list[tuple[int, bytes]] = []
        self._environment: dict[str, str | None] = {}
        self._keys: dict[str, dict[str, StatKey]] = {name: {} for name in (*_TABLES, "seen")}
        self._digests: dict[str, dict[str, str]] = {"listings": {}, "followed": {}, "seen": {}}
        self._to_hash: set[str] = set()
        self._ask_known = known
        self._known: Known | None = None

    def invalidate(self) -> None:
        """Make sure that this run leaves no receipt: it has changed something, or used what is no fact."""
        self.invalidated = True

    def say(self, descriptor: int, text: bytes) -> None:
        """Record what was written to descriptor 1 or 2."""
        if text:
            self._output.append((descriptor, text))

    def environment(self, variables: Mapping[str, str]) -> Mapping[str, str]:
        """Return the same variables in a mapping that records which of them are looked at."""
        return _RecordedVariables(variables, self)

    def variable(self, name: str, value: str | None) -> None:
        """Record that an environment variable was looked at."""
        self._environment[name] = value

    def root(self, path: str, key: StatKey) -> None:
        """Record the directory at `path`, links followed."""
        self._note("roots", path, identity(key))

    def directory(self, path: str, key: StatKey) -> None:
        """Record a directory that was passed through or looked at; its contents are recorded elsewhere."""
        self._note("directories", path, identity(key))

    def has_directory(self, path: str) -> bool:
        """Return whether the directory at `path` is recorded."""
        return path in self._keys["directories"]

    def listing(self, path: str, key: StatKey, names: Iterable[str]) -> None:
        """Record the names in a directory, sorted by their bytes; `key` was taken before they were read."""
        digest = names_digest([os.fsencode(name) for name in names]).hex()
        self._note("listings", path, key, digest)

    def followed(self, path: str, key: StatKey = ABSENT, digest: str = NO_DIGEST) -> None:
        """Record a file that was read through links; `key` is that of the file that was open."""
        self._note("followed", path, key, digest)

    def seen(self, path: str, key: StatKey = ABSENT) -> None:
        """Record what is at `path`, unread; a link stands for itself."""
        self._note("seen", path, key)

    def key(self, path: str) -> StatKey | None:
        """Return the key that was recorded for `path`."""
        return self._keys["seen"].get(path)

    def read(self, path: str, key: StatKey, digest: str, *, trusting: bool) -> None:
        """Record a file that was read; without `trusting` its bytes are read again before the answer is replayed."""
        self._note("seen", path, key, digest)
        if not trusting:
            self._to_hash.add(path)

    def known(self, path: str, key: StatKey) -> str | None:
        """Return the digest of the file at `path`, if an earlier run hashed it and its key is unchanged."""
        if self._known is None:
            self._known = self._ask_known()
        found = self._known.get(path)
        return found[1] if found is not None and found[0] == key else None

    def receipt(self, key: str, program: Iterable[str], *, created_s: int, directory: str) -> Receipt | None:
        """Return the receipt under `key`, for a run in `directory`; None if there can be none.

        `program` are the files of the code that has run. Raises OSError if one of them is gone.
        """
        for file in program:
            self._note("program", file, stat_key(os.stat(file)))
        if self.invalidated:
            return None
        return Receipt(key, self._output, self._facts(directory), created_s=created_s, started_ns=self.started_ns)

    def _note(self, table: str, path: str, key: StatKey, digest: str | None = None) -> None:
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
        hashed = _halved(
            {path: keys[path] for path in digests if path in self._to_hash}, lambda key: _OPEN_COST_BYTES + key[2]
        )
        trusted = _halved(self._trusted())
        seen = _halved({path: key for path, key in keys.items() if path not in digests})
        one, other = (
            Files(_table(each[0], digests, place), _table(each[1], digests, place), _table(each[2], None, place))
            for each in zip(hashed, trusted, seen, strict=True)
        )
        return one, other

    def _trusted(self) -> dict[str, StatKey]:
        keys, digests = self._keys["seen"], self._digests["seen"]
        return {path: keys[path] for path in digests if path not in self._to_hash}


class _RecordedVariables(Mapping[str, str]):
    def __init__(self, variables: Mapping[str, str], recorder: Recorder) -> None:
        self._variables = variables
        self._recorder = recorder

    def __getitem__(self, name: str) -> str:
        value = self._variables.get(name)
        self._recorder.variable(name, value)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        self._recorder.invalidate()  # who looks at all of them looks at more than a receipt should ask about
        return iter(self._variables)

    def __len__(self) -> int:
        self._recorder.invalidate()
        return len(self._variables)


def _halved(keys: dict[str, StatKey], weigh: Callable[[StatKey], int] = lambda _key: 1) -> list[dict[str, StatKey]]:
    """Split the files into two parts, one behind the other, of about the same weight."""
    left = sum(map(weigh, keys.values())) // 2
    halves: list[dict[str, StatKey]] = [{}, {}]
    for path, key in keys.items():
        halves[left <= 0][path] = key
        left -= weigh(key)
    return halves


def _table(keys: Mapping[str, StatKey], digests: Mapping[str, str] | None, place: str) -> Table:
    """Make a table; `digests` has more than these paths, and paths below `place` are written relative to it."""
    return Table(
        os.fsencode("\0".join(path.removeprefix(place) for path in keys)),
        b"".join(STAT_KEY.pack(*key) for key in keys.values()),
        b"" if digests is None else bytes.fromhex("".join(digests[path] for path in keys)),
    )


# -- saving, and what older receipts know ------------------------------------------------------------------------------


def save(recorder: Recorder, arguments: Sequence[str], environment: Mapping[str, str], *, created_s: int) -> bool:
    """Save a receipt for this process; return whether there is one now. A run that cannot save one goes without."""
    key, store = receipt_key(arguments), _store_path(environment)
    if key is None or store is None:
        return False
    try:
        receipt = recorder.receipt(key, _program_files(), created_s=created_s, directory=os.getcwd())
    except OSError:  # the program is being replaced while it runs
        return False
    return receipt is not None and write_receipt(store, key, to_bytes(receipt))


def known_files(environment: Mapping[str, str]) -> Known:
    """Return the files that the last receipt of the current directory has hashed, where their keys are old enough."""
    key, store = receipt_key(()), _store_path(environment)
    content = None if key is None or store is None else newest_receipt(store, directory_prefix(key))
    if content is None:
        return {}
    try:
        return dict(_not_racy(from_bytes(content)))
    except ValueError:
        return {}


def _not_racy(receipt: Receipt) -> Iterator[tuple[str, tuple[StatKey, str]]]:
    racy_ns = racy_from(receipt.started_ns)
    directory = os.fsencode(os.getcwd())
    for half in receipt.facts.halves:
        for table in (half.hashed, half.trusted):
            for path, key, digest in table.digest_rows():
                if changed_ns(key) < racy_ns:
                    yield os.fsdecode(os.path.join(directory, path)), (key, digest.hex())


def _store_path(environment: Mapping[str, str]) -> str | None:
    return receipts_directory(environment, macos=sys.platform == "darwin")


def _program_files() -> Iterator[str]:
    """Yield the files of our own code that is loaded."""
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in ("agent_sync", "agent_sync_oci") and (file := getattr(module, "__file__", None)):
            yield file
