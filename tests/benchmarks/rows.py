"""The rows of the table, in its order: what is measured, beside what, and what the goal is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.benchmarks import arriving, in_place, nix, registries, signatures
from tests.benchmarks.inputs import Room
from tests.benchmarks.measuring import Contest, Measured

_MANY = 20_000
_FEW = 20


@dataclass(frozen=True, slots=True)
class Goal:
    """Upper bounds; None: there is no such goal."""

    ratio: float | None = None
    milliseconds: float | None = None
    megabytes: float | None = None

    def met(self, measured: Measured) -> bool:
        """Whether no bound is exceeded by the medians and the peak. A ratio with nothing beside it is exceeded."""
        ratio = measured.ratio
        return not (
            (self.ratio is not None and (ratio is None or ratio > self.ratio))
            or (self.milliseconds is not None and measured.seconds * 1e3 > self.milliseconds)
            or (self.megabytes is not None and measured.peak_bytes / 1e6 > self.megabytes)
        )


@dataclass(frozen=True, slots=True)
class Row:
    """`prepare` makes the inputs. It raises LookupError, which says what is missing, where the row cannot be run."""

    name: str
    work: str
    beside: str
    goal: Goal
    prepare: Callable[[Room], Contest]


ROWS = (
    Row("version", "`--version`", "`python -c pass`", Goal(1.3), partial(in_place.starting, words=("--version",))),
    Row(
        "help",
        "`sync --help`",
        "`python -c pass`",
        Goal(milliseconds=150),
        partial(in_place.starting, words=("sync", "--help")),
    ),
    *(
        Row(
            f"{verb}-20",
            f"`{verb}`, nothing to do, 20 files",
            "`python -c pass`",
            Goal(2),
            partial(in_place.nothing_to_do, verb=verb, files=_FEW),
        )
        for verb in ("sync", "status")
    ),
    *(
        Row(
            f"{verb}-20000",
            f"`{verb}`, nothing to do, 20,000 files",
            "`git status`",
            Goal(2),
            partial(in_place.beside_git_status, verb=verb, files=_MANY),
        )
        for verb in ("sync", "status")
    ),
    *(
        Row(
            f"{verb}-20000-full",
            f"`{verb}`, nothing to do, 20,000 files, no receipt",
            "`git status`",
            Goal(),
            partial(in_place.without_receipt, verb=verb, files=_MANY),
        )
        for verb in ("sync", "status")
    ),
    Row(
        "check-git",
        "`check`, 20,000 files",
        "`git status`",
        Goal(3.5),
        partial(in_place.beside_git_status, verb="check", files=_MANY),
    ),
    Row(
        "check-hash",
        "`check`, 20,000 files",
        "`xargs sha256sum`",
        Goal(0.5),
        partial(in_place.beside_sha256sum, files=_MANY),
    ),
    Row(
        "lock",
        "load and validate a lock of 50,000 files",
        "",
        Goal(milliseconds=150),
        partial(in_place.loading_a_lock, files=50_000),
    ),
    Row(
        "git",
        "`update`, git over HTTP, 20,000 files",
        "`git clone --depth 1`",
        Goal(1.1),
        partial(arriving.cloning, files=_MANY),
    ),
    Row(
        "git-narrow",
        "the same, `paths:` names 1,000 of them",
        "`git clone --depth 1`",
        Goal(0.4),
        partial(arriving.cloning, files=_MANY, paths=("00/",)),
    ),
    Row(
        "git-rules",
        "`update`, git over HTTP, real rules (REAL_RULES)",
        "`git clone --depth 1`",
        Goal(),
        arriving.cloning_real_rules,
    ),
    Row(
        "sources",
        "`update`, 20 sources from one repository",
        "`update`, one source",
        Goal(1.2),
        partial(arriving.many_sources, files=_MANY, sources=20),
    ),
    Row(
        "url",
        "`update`, url of 500 MB",
        "`curl -o`",
        Goal(1.3, megabytes=100),
        partial(arriving.downloading, size=500_000_000),
    ),
    Row(
        "url-sync",
        "first `sync`, url of 500 MB",
        "`cp -r`",
        Goal(megabytes=100),
        partial(arriving.writing_a_download, size=500_000_000),
    ),
    Row("write", "first `sync` of 20,000 files", "`cp -r`", Goal(1), partial(arriving.writing, files=_MANY)),
    Row(
        "pack",
        "pack a directory of 20,000 files",
        "`tar \\| zstd -3 -T0`",
        Goal(1.25),
        partial(arriving.packing, files=_MANY),
    ),
    Row(
        "local",
        "`update`, local directory of 20,000 files",
        "`tar \\| zstd -3 -T0`",
        Goal(),
        partial(arriving.updating_a_directory, files=_MANY),
    ),
    *(
        Row(
            f"growth-{many}",
            f"first `sync` of {many:,} files",
            f"first `sync` of {few:,} files",
            Goal(10),
            partial(arriving.growing, few=few, many=many),
        )
        for few, many in ((300, 3_000), (3_000, 30_000))
    ),
    *(
        Row(
            f"memory-{verb}",
            f"{'first ' if verb == 'sync' else ''}`{verb}`, 20 files of 50 MB",
            "",
            Goal(megabytes=250),
            partial(arriving.large_sources, verb=verb, files=20, size=50_000_000),
        )
        for verb in ("update", "sync")
    ),
    *(
        Row(f"{verb}-{name}", f"`{verb}`, {work}", "`skopeo copy`", goal, partial(contest, make=make))
        for name, work, goal, make in (
            ("large", "one source of 200 MB", Goal(1.2, megabytes=100), registries.LARGE),
            ("tree", "one source of 20,000 files", Goal(), registries.TREE),
            ("sources", "100 sources of 20 files", Goal(), registries.SOURCES),
        )
        for verb, contest in (("push", registries.pushing), ("pull", registries.pulling))
    ),
    Row(
        "push-again",
        "`push`, 200 MB that are there already",
        "`skopeo copy`",
        Goal(megabytes=100),
        partial(registries.pushing_again, make=registries.LARGE),
    ),
    *(
        Row(
            f"signatures-{kind}",
            f"judge 100 bundles signed {how}, one process",
            "",
            Goal(milliseconds=3000),
            partial(signatures.judging, bundles=100, keyless=kind == "keyless"),
        )
        for kind, how in (("key", "with a key"), ("keyless", "without a key"))
    ),
    Row("nix-hash", "`nix hash` of 20,000 files", "`nix-hash`", Goal(1.3), partial(nix.hashing, files=_MANY)),
    *(
        Row(
            f"nix-eval{'-cold' if cold else ''}",
            f"`nix eval` of the sources of 5,000 files{', nothing fetched yet' if cold else ''}",
            "`nix eval --expr 1`",
            Goal() if cold else Goal(milliseconds=1000),
            partial(nix.evaluating, files=5_000, cold=cold),
        )
        for cold in (False, True)
    ),
)
