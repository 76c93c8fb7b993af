"""The git repository of services and program, through a bare mirror of our own.

No hook, filter or configuration of the machine or of the repository takes part: what a checkout
holds is what the commit holds. Large files of git-lfs stay the pointers that git stores.
"""

import asyncio
import contextlib
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from slipway.clients import command
from slipway.clients.git_remote import Remote, lock_file, locked
from slipway.domain.build_inputs import Tree, TreeEntry, build_inputs_id, ignore_path
from slipway.domain.commit import Commit, CommitPrefix
from slipway.domain.target import CommitInfo, Service
from slipway.errors import (
    AmbiguousCommit,
    InvalidInput,
    UnknownCommit,
    Unreachable,
)

LOCK_INTERVAL = 0.05
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


@dataclass(frozen=True, slots=True)
class GitMirror:
    """The `SourceRepository` port on a bare clone that it keeps in `state`."""

    remote: Remote
    state: Path
    fetch_within: float = 120.0
    """Seconds that a fetch may take, the first one included."""
    read_within: float = 30.0
    checkouts: Path | None = None
    """Where checkouts are made; None takes the system's folder for temporary files."""
    _inputs: dict[tuple[Commit, Service], str] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Build inputs that were asked for: a commit's never change, and telling them is four reads."""

    @property
    def mirror(self) -> Path:
        """The bare clone's folder: one for each address."""
        return self.state / f"{hashlib.sha256(self.remote.url.encode()).hexdigest()[:16]}.git"

    async def fetch(self) -> None:
        """Bring the mirror up to date with its remote: every branch, forced moves too."""
        self.state.mkdir(parents=True, exist_ok=True)
        async with self._alone():
            if not (self.mirror / "HEAD").exists():
                await self._git("init", "--quiet", "--bare", str(self.mirror), at=self.state)
            done = await self._git(
                "fetch",
                "--quiet",
                "--prune",
                "--no-tags",
                "--no-write-fetch-head",
                "--end-of-options",
                self.remote.url,
                "+refs/heads/*:refs/heads/*",
                within=self.fetch_within,
                codes=frozenset(range(256)),
            )
        if done.code != 0:
            raise self.remote.fetch_error(done.complaint)

    async def resolve(self, wanted: Commit | CommitPrefix) -> Commit:
        """The one commit meant, or `UnknownCommit` / `AmbiguousCommit` naming what there is."""
        listed = await self._git("rev-parse", f"--disambiguate={wanted}")
        fits = [
            Commit(name)
            for name, kind in (await self._kinds(listed.stdout)).items()
            if kind == "commit"
        ]
        if not fits:
            raise UnknownCommit(
                f"no commit {wanted} in {self.remote.url}: push it first, or check the hash"
            )
        if len(fits) > 1:
            described = [await self.describe(each) for each in sorted(fits)]
            shown = "; ".join(f"{each.commit} {each.subject}" for each in described)
            raise AmbiguousCommit(f"{wanted} fits {len(fits)} commits ({shown}): give more of it")
        return fits[0]

    async def head(self, branch: str) -> Commit:
        """The branch's newest commit; `UnknownCommit` when there is no such branch."""
        done = await self._git(
            "rev-parse", "--verify", "--quiet", f"{_ref(branch)}^{{commit}}", codes=_YES_OR_NO
        )
        if done.code != 0:
            raise UnknownCommit(
                f"no branch {branch} in {self.remote.url}: correct the target's branch, or push it"
            )
        return Commit(done.stdout.decode().strip())

    async def on_main_line(self, commit: Commit, branch: str) -> bool:
        """Whether the commit is in the first-parent history of the branch."""
        head = await self.head(branch)
        line = await self._git("rev-list", "--first-parent", head.sha)
        return commit.sha.encode() in line.stdout.split()

    async def behind(self, commits: Sequence[Commit], branch: str) -> Mapping[Commit, int]:
        """How many commits of the branch's first-parent history are newer than each that is in it.

        What is not in it is left out; without the branch that is everything.
        """
        try:
            head = await self.head(branch)
        except UnknownCommit:
            return {}
        line = (await self._git("rev-list", "--first-parent", head.sha)).stdout.decode().split()
        wanted = {each.sha: each for each in commits}
        return {wanted[sha]: place for place, sha in enumerate(line) if sha in wanted}

    async def changed_files(self, older: Commit, newer: Commit) -> Sequence[str]:
        """The paths of the files that differ between two commits, sorted; a rename is two."""
        done = await self._git(
            "diff-tree", "-r", "-z", "--name-only", "--no-renames", older.sha, newer.sha
        )
        return sorted(done.stdout.decode("utf-8", "replace").split("\0")[:-1])

    async def is_ancestor(self, older: Commit, newer: Commit) -> bool:
        """Whether `newer` descends from `older`, or is it. False if either is unknown."""
        kinds = await self._kinds(f"{older}\n{newer}\n".encode())
        if {kinds.get(older.sha), kinds.get(newer.sha)} != {"commit"}:
            return False
        done = await self._git(
            "merge-base", "--is-ancestor", older.sha, newer.sha, codes=_YES_OR_NO
        )
        return done.code == 0

    async def has_folder(self, commit: Commit, folder: str) -> bool:
        """Whether the folder exists at the commit."""
        path = _plain(folder)
        if path == ".":
            return True
        name = f"{commit}:{path}"
        return (await self._kinds(f"{name}\n".encode())).get(name) == "tree"

    async def describe(self, commit: Commit) -> CommitInfo:
        """Subject and time of a commit; `UnknownCommit`."""
        done = await self._git(
            "show", "--no-patch", "--no-notes", "--format=%cI%x00%s", commit.sha, codes=_ANY_ERROR
        )
        if done.code != 0:
            raise UnknownCommit(f"no commit {commit} in {self.remote.url}: push it first")
        at, _, subject = done.stdout.decode("utf-8", "replace").strip("\n").partition("\0")
        return CommitInfo(commit, subject, at)

    async def touching(
        self, service: Service, newest: Commit, after: Commit | None = None, limit: int = 100
    ) -> Sequence[CommitInfo]:
        """See `slipway.ports.SourceRepository`."""
        await self._require_commits(newest, *([after] if after else []))
        done = await self._git(
            "log",
            "--first-parent",
            "--no-notes",
            "-z",
            f"--max-count={limit}",
            "--format=%H%n%cI%n%s",
            newest.sha,
            *([f"^{after}"] if after else []),
            "--",
            *{_plain(each) for each in (service.context_path, service.dockerfile_path)},
        )
        logged = [each.split("\n") for each in done.stdout.decode("utf-8", "replace").split("\0")]
        return [
            CommitInfo(Commit(sha), subject, at) for sha, at, subject in filter(_is_whole, logged)
        ]

    async def build_inputs(self, commit: Commit, service: Service) -> str:
        """The id of everything that the service's build can see at the commit."""
        if (commit, service) not in self._inputs:
            self._inputs[commit, service] = await self._read_inputs(commit, service)
        return self._inputs[commit, service]

    async def _read_inputs(self, commit: Commit, service: Service) -> str:
        for each in (service.folder, service.context_path, service.dockerfile_path):
            _plain(each)
        tree = await self._tree(commit)
        dockerfile = await self._text(tree, service.dockerfile_path)
        ignore = await self._text(tree, ignore_path(service))
        return build_inputs_id(tree, service, dockerfile, ignore)

    @contextlib.asynccontextmanager
    async def checkout(self, commit: Commit) -> AsyncIterator[Path]:
        """A full, throw-away work tree of the commit, gone when the context ends.

        It has no `.git`, so that nothing in it can reach the mirror, and no build context differs
        from another by it.
        """
        with tempfile.TemporaryDirectory(
            prefix=f"slipway-{commit.short}-", dir=self.checkouts, ignore_cleanup_errors=True
        ) as folder:
            tree = Path(folder) / "tree"
            tree.mkdir()
            there = {
                "GIT_DIR": str(self.mirror.resolve()),
                "GIT_WORK_TREE": str(tree),
                "GIT_INDEX_FILE": str(Path(folder) / "index"),
            }
            await self._git("read-tree", commit.sha, at=tree, more=there)
            await self._git(
                "checkout-index", "--all", "--quiet", at=tree, more=there, within=self.fetch_within
            )
            yield tree

    async def _require_commits(self, *commits: Commit) -> None:
        kinds = await self._kinds("".join(f"{each}\n" for each in commits).encode())
        for each in commits:
            if kinds.get(each.sha) != "commit":
                raise UnknownCommit(f"no commit {each} in {self.remote.url}: push it first")

    async def _tree(self, commit: Commit) -> Tree:
        done = await self._git("ls-tree", "-r", "-z", "--full-tree", commit.sha)
        entries = {}
        for line in done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            facts, _, path = line.partition("\t")
            mode, _, blob = facts.split()
            entries[path] = TreeEntry(mode, blob)
        return entries

    async def _text(self, tree: Tree, path: str) -> str:
        entry = tree.get(path)
        if entry is None or not entry.mode.startswith("100"):
            return ""
        done = await self._git("cat-file", "blob", entry.blob)
        return done.stdout.decode("utf-8", "replace")

    async def _kinds(self, names: bytes) -> Mapping[str, str]:
        """What kind of object each name is; a name of nothing is left out."""
        done = await self._git(
            "cat-file", "--batch-check=%(objecttype)", stdin=names, codes=_ANY_ERROR
        )
        answers = done.stdout.decode("utf-8", "replace").splitlines()
        asked = names.decode().splitlines()
        return {
            name: answer
            for name, answer in zip(asked, answers, strict=False)
            if not answer.endswith((" missing", " ambiguous"))
        }

    async def _git(
        self,
        *words: str,
        at: Path | None = None,
        within: float = 0.0,
        stdin: bytes = b"",
        codes: frozenset[int] = frozenset({0}),
        more: Mapping[str, str] | None = None,
    ) -> command.Finished:
        done = await command.run(
            ["git", *words],
            cwd=at or self._existing_mirror(),
            env={**self.remote.environment(), **(more or {})},
            within=within or self.read_within,
            stdin=stdin,
        )
        if done.code not in codes:
            raise Unreachable(
                f"git {words[0]} in the mirror of {self.remote.url} failed: {done.complaint}; if "
                f"it stays, remove {self.mirror}, which is fetched anew"
            )
        return done

    def _existing_mirror(self) -> Path:
        if not self.mirror.is_dir():
            raise Unreachable(f"{self.remote.url} has not been fetched yet: fetch it first")
        return self.mirror

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One fetch of a mirror at a time, among all processes of this machine."""
        with lock_file(Path(f"{self.mirror}.lock")) as lock:
            try:
                async with asyncio.timeout(self.fetch_within):
                    while not locked(lock):  # noqa: ASYNC110 - a file lock tells nobody when it ends
                        await asyncio.sleep(LOCK_INTERVAL)
            except TimeoutError as error:
                raise Unreachable(
                    f"another process has been fetching {self.remote.url} for "
                    f"{self.fetch_within:.0f} s: try again"
                ) from error
            yield


def _is_whole(logged: Sequence[str]) -> bool:
    return len(logged) == 3  # noqa: PLR2004 - hash, time and subject


_YES_OR_NO = frozenset({0, 1})
_ANY_ERROR = frozenset({0, 128})


def _ref(branch: str) -> str:
    if not _BRANCH.fullmatch(branch) or ".." in branch:
        raise InvalidInput(f"{branch[:100]!r} is not a branch: correct the target's branch")
    return f"refs/heads/{branch}"


def _plain(path: str) -> str:
    """A path inside the repository; one that could lead out of it is refused."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or "\0" in path or "\n" in path:
        raise InvalidInput(
            f"{path[:100]!r} is not a path inside the repository: correct the service's folder, "
            "context or Dockerfile"
        )
    return "/".join(parts) or "."
