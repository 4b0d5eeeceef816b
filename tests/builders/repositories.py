"""Git repositories out of dictionaries: the same calls give the same commits, on every machine and at any time.

Commits go in through `git fast-import`, never through a working tree, so that a repository can hold what a careful
client would refuse to write.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_FIRST_COMMIT_AT = 1_700_000_000  # seconds since 1970; every further commit or tag is one hour later
_WHO = "A Builder <builder@example.org>"


@dataclass(frozen=True, slots=True)
class Executable:
    """The content of a file that may be run."""

    content: str | bytes


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link to `target`, as it is written in the tree."""

    target: str


@dataclass(frozen=True, slots=True)
class Submodule:
    """A gitlink to `commit` of another repository."""

    commit: str


Content = str | bytes | Executable | Symlink | Submodule


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: git settings (`-c`) and environment variables; tests.real.gpg and tests.real.ssh_keys make them."""

    settings: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class GitRepository:
    """A repository whose only writer is the test."""

    path: Path
    _clock_s: int = _FIRST_COMMIT_AT

    def commit(
        self,
        files: Mapping[str, Content | None],
        *,
        message: str = "a change",
        branch: str = "main",
        signed_by: Signer | None = None,
    ) -> str:
        """The id of a new commit on `branch`: its tree, with these files put in, replaced or (None) removed."""
        parent = self._tip(branch)
        self.git("fast-import", "--quiet", standard_input=self._stream(files, message, branch, parent))
        unsigned = self.resolve(f"refs/heads/{branch}")
        if signed_by is None:
            return unsigned
        return self._sign_commit(unsigned, parent, message, branch, signed_by)

    def tag(self, name: str, *, at: str = "HEAD", message: str | None = None, signed_by: Signer | None = None) -> str:
        """The id of a new tag: annotated with a `message`, signed by a signer, otherwise only a name for `at`."""
        if message is None and signed_by is None:
            self.git("tag", "--force", name, at)
        elif signed_by is None:
            self.git("tag", "--force", "--annotate", "--message", message or name, name, at)
        else:
            self.git("tag", "--force", "--sign", "--message", message or name, name, at, signed_by=signed_by)
        return self.resolve(f"refs/tags/{name}")

    def branch(self, name: str, *, at: str = "HEAD") -> None:
        """`name` is from now on a branch that points to `at`."""
        self.git("branch", "--force", name, at)

    def resolve(self, name: str) -> str:
        """The full id of what `name` stands for."""
        return self.git("rev-parse", "--verify", "--end-of-options", name)

    def git(self, *words: str, standard_input: bytes = b"", signed_by: Signer | None = None) -> str:
        """What `git words...` prints, without the last line end; raises CalledProcessError if it fails."""
        signer = signed_by or Signer(())
        result = subprocess.run(
            ["git", *signer.settings, *words],
            cwd=self.path,
            env=self._environment() | dict(signer.environment),
            input=standard_input,
            stdout=subprocess.PIPE,
            check=True,
        )
        return result.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def _environment(self) -> dict[str, str]:
        """Nothing of the machine's configuration; each call one hour after the one before."""
        self._clock_s += 3600
        name, _, address = _WHO.rstrip(">").partition(" <")
        when = f"{self._clock_s} +0000"
        return {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": address,
            "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": address,
            "GIT_COMMITTER_DATE": when,
        }

    def _tip(self, branch: str) -> str | None:
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}") or None

    def _stream(self, files: Mapping[str, Content | None], message: str, branch: str, parent: str | None) -> bytes:
        self._clock_s += 3600
        text = message.encode()
        head = f"commit refs/heads/{branch}\ncommitter {_WHO} {self._clock_s} +0000\ndata {len(text)}\n".encode()
        origin = f"\nfrom {parent}\n".encode() if parent else b"\n"
        return head + text + origin + b"".join(_change(path, files[path]) for path in sorted(files))

    def _sign_commit(self, unsigned: str, parent: str | None, message: str, branch: str, signer: Signer) -> str:
        parents = ("-p", parent) if parent else ()
        tree = f"{unsigned}^{{tree}}"
        signed = self.git("commit-tree", "-S", "-m", message, *parents, tree, signed_by=signer)
        self.git("update-ref", f"refs/heads/{branch}", signed)
        return signed


def a_git_repository(
    path: Path, files: Mapping[str, Content | None] | None = None, *, bare: bool = True
) -> GitRepository:
    """A new repository at `path` whose HEAD is `main`, with one commit if `files` are given.

    Without `bare` it has a working tree with these files; later commits do not touch that.
    """
    path.mkdir(parents=True)
    repository = GitRepository(path)
    repository.git("init", "--quiet", "--initial-branch=main", *(["--bare"] if bare else []))
    if files is not None:
        repository.commit(files, message="the first files")
    if files is not None and not bare:
        repository.git("reset", "--quiet", "--hard")
    return repository


def _change(path: str, content: Content | None) -> bytes:
    quoted = _quoted(path)
    match content:
        case None:
            return b"D " + quoted + b"\n"
        case Submodule(commit):
            return b"M 160000 " + commit.encode() + b" " + quoted + b"\n"
        case Symlink(target):
            return _file(b"120000", quoted, target)
        case Executable(inner):
            return _file(b"100755", quoted, inner)
        case _:
            return _file(b"100644", quoted, content)


def _file(mode: bytes, quoted_path: bytes, content: str | bytes) -> bytes:
    body = content.encode() if isinstance(content, str) else content
    return b"M " + mode + b" inline " + quoted_path + b"\ndata %d\n" % len(body) + body + b"\n"


def _quoted(path: str) -> bytes:
    """`path` as git-fast-import(1) wants it: C-style, in double quotes."""
    raw = path.encode("utf-8", "surrogateescape")
    escaped = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'
