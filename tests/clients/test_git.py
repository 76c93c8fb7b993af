"""The mirror reads commits as they are: no name is guessed, and nothing in them is run."""

import asyncio
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from slipway.clients.git import GitMirror
from slipway.clients.git_remote import GitCredentials, Remote
from slipway.domain.commit import Commit, CommitPrefix
from slipway.domain.target import Service
from slipway.errors import (
    AccessDenied,
    InvalidInput,
    SlipwayError,
    UnknownCommit,
    Unreachable,
)

SERVICE = Service("adapter", "adapter", "ghcr.io/acme/adapter")
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "GIT_AUTHOR_DATE": "2026-01-05T09:00:00+01:00",
    "GIT_COMMITTER_DATE": "2026-01-05T09:00:00+01:00",
}


@dataclass
class Work:
    """A repository that somebody works in."""

    folder: Path

    def git(self, *words: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *words],  # noqa: S607 - the git that everybody has
            cwd=self.folder,
            env=ENVIRONMENT,
            input=stdin,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(self, subject: str, **files: str) -> Commit:
        for name, text in files.items():
            path = self.folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return Commit(self.git("rev-parse", "HEAD"))


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    folder = tmp_path / "work"
    folder.mkdir()
    work = Work(folder)
    work.git("init", "--quiet", "--initial-branch=main")
    return work


@pytest.fixture
def mirror(work: Work, tmp_path: Path) -> GitMirror:
    checkouts = tmp_path / "checkouts"
    checkouts.mkdir()
    return GitMirror(Remote(str(work.folder)), tmp_path / "state", checkouts=checkouts)


async def test_a_commit_is_found_by_its_full_name_and_by_its_beginning(
    work: Work, mirror: GitMirror
) -> None:
    commit = work.commit("one", a="1")
    await mirror.fetch()

    assert await mirror.resolve(commit) == commit
    assert await mirror.resolve(CommitPrefix(commit.sha[:7])) == commit


async def test_an_unknown_commit_is_refused_by_name(work: Work, mirror: GitMirror) -> None:
    work.commit("one", a="1")
    await mirror.fetch()

    for wanted in (Commit("f" * 40), CommitPrefix("fffffff")):
        with pytest.raises(UnknownCommit, match=str(wanted)):
            await mirror.resolve(wanted)
    with pytest.raises(UnknownCommit):
        await mirror.describe(Commit("f" * 40))


async def test_a_tree_or_a_file_is_no_commit(work: Work, mirror: GitMirror) -> None:
    work.commit("one", a="1")
    await mirror.fetch()

    for name in ("HEAD^{tree}", "HEAD:a"):
        with pytest.raises(UnknownCommit):
            await mirror.resolve(Commit(work.git("rev-parse", name)))


async def test_the_main_line_is_the_first_parents_and_no_other(
    work: Work, mirror: GitMirror
) -> None:
    base = work.commit("base", a="1")
    work.git("switch", "--quiet", "--create", "topic")
    inside = work.commit("inside", b="1")
    work.git("switch", "--quiet", "main")
    work.git("merge", "--quiet", "--no-ff", "-m", "merge", "topic")
    merge = Commit(work.git("rev-parse", "HEAD"))
    work.git("switch", "--quiet", "--create", "side")
    side = work.commit("side", c="1")
    await mirror.fetch()

    on_line = [await mirror.on_main_line(each, "main") for each in (base, inside, merge, side)]
    ancestors = [await mirror.is_ancestor(each, merge) for each in (base, inside, merge, side)]

    assert on_line == [True, False, True, False]
    assert ancestors == [True, True, True, False]
    assert not await mirror.is_ancestor(Commit("f" * 40), merge)
    assert not await mirror.is_ancestor(merge, Commit("f" * 40))
    assert await mirror.head("main") == merge


async def test_a_branch_that_is_not_there_or_is_none_is_refused(
    work: Work, mirror: GitMirror
) -> None:
    commit = work.commit("one", a="1")
    await mirror.fetch()

    with pytest.raises(UnknownCommit, match="no branch release"):
        await mirror.head("release")
    for planted in ("--output=x", "main..main", "@{-1}", ""):
        with pytest.raises(InvalidInput):
            await mirror.on_main_line(commit, planted)


async def test_a_fetch_follows_moved_and_deleted_branches(work: Work, mirror: GitMirror) -> None:
    work.commit("one", a="1")
    work.git("branch", "gone")
    await mirror.fetch()
    work.git("branch", "--delete", "--force", "gone")
    work.git("commit", "--quiet", "--amend", "-m", "rewritten")

    await mirror.fetch()

    assert (await mirror.head("main")).sha == work.git("rev-parse", "HEAD")
    with pytest.raises(UnknownCommit):
        await mirror.head("gone")


async def test_many_fetches_at_once_do_not_disturb_each_other(
    work: Work, mirror: GitMirror
) -> None:
    commit = work.commit("one", a="1")

    await asyncio.gather(*(mirror.fetch() for _ in range(6)))

    assert await mirror.resolve(commit) == commit


async def test_folder_subject_and_time_are_told(work: Work, mirror: GitMirror) -> None:
    commit = work.commit("größer: one", adapter__Dockerfile="FROM scratch\n")
    await mirror.fetch()

    assert await mirror.has_folder(commit, "adapter")
    assert not await mirror.has_folder(commit, "sink")
    assert not await mirror.has_folder(commit, "adapter/Dockerfile")
    info = await mirror.describe(commit)
    assert (info.subject, info.committed_at) == ("größer: one", "2026-01-05T09:00:00+01:00")


@pytest.mark.parametrize("planted", ["../up", "/etc", "a/../../b", "a\nb"])
async def test_a_path_out_of_the_repository_is_refused(
    work: Work, mirror: GitMirror, planted: str
) -> None:
    commit = work.commit("one", a="1")
    await mirror.fetch()

    with pytest.raises(InvalidInput, match="not a path inside the repository"):
        await mirror.has_folder(commit, planted)
    with pytest.raises(InvalidInput, match="not a path inside the repository"):
        await mirror.build_inputs(commit, Service("adapter", planted, "ghcr.io/acme/adapter"))


async def test_documentation_leaves_the_build_inputs_as_they_were(
    work: Work, mirror: GitMirror
) -> None:
    dockerfile = "FROM scratch\nCOPY src /src\n"
    first = work.commit("one", adapter__Dockerfile=dockerfile, adapter__src__a="1")
    docs = work.commit("two", adapter__README="more", sink__x="1")
    code = work.commit("three", adapter__src__a="2")
    await mirror.fetch()

    ids = [await mirror.build_inputs(each, SERVICE) for each in (first, docs, code)]

    assert ids[0] == ids[1]
    assert ids[1] != ids[2]


async def test_a_checkout_is_the_commit_and_is_gone_afterwards(
    work: Work, mirror: GitMirror
) -> None:
    commit = work.commit("one", adapter__a="1", cluster__b="2")
    (work.folder / "adapter/a").chmod(0o755)
    executable = work.commit("two", adapter__c="3")
    await mirror.fetch()

    async with mirror.checkout(commit) as old, mirror.checkout(executable) as new:
        files = sorted(str(each.relative_to(new)) for each in new.rglob("*") if each.is_file())
        assert files == ["adapter/a", "adapter/c", "cluster/b"]
        assert os.access(new / "adapter/a", os.X_OK)
        assert not os.access(old / "adapter/a", os.X_OK)

    assert not old.exists()
    assert not new.exists()
    assert mirror.checkouts is not None
    assert names_in(mirror.checkouts) == []


async def test_a_checkout_is_gone_too_when_its_user_fails(work: Work, mirror: GitMirror) -> None:
    commit = work.commit("one", a="1")
    await mirror.fetch()

    with pytest.raises(RuntimeError):
        async with mirror.checkout(commit) as tree:
            raise RuntimeError

    assert not tree.exists()


async def test_nothing_that_a_commit_brings_is_run(
    work: Work, mirror: GitMirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter would run at checkout, were it configured: here for the user and the repository."""
    planted = tmp_path / "planted"
    config = f'[filter "evil"]\n\tsmudge = "touch {planted}; cat"\n'
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(config)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    commit = work.commit("one", a="1")
    (work.folder / ".gitattributes").write_text("* filter=evil\n")
    commit = work.commit("two", b="2")
    hook = work.folder / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {planted}\n")
    hook.chmod(0o755)
    await mirror.fetch()

    async with mirror.checkout(commit) as tree:
        assert (tree / "b").read_text() == "2"

    assert not planted.exists()


async def test_a_link_out_of_the_checkout_stays_a_link(
    work: Work, mirror: GitMirror, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    (work.folder / "link").symlink_to(outside)
    commit = work.commit("one", a="1")
    await mirror.fetch()

    async with mirror.checkout(commit) as tree:
        assert (tree / "link").is_symlink()

    assert outside.read_text() == "untouched"


async def test_a_repository_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    mirror = GitMirror(Remote(str(tmp_path / "nowhere")), tmp_path / "state")

    with pytest.raises(Unreachable, match="could not be fetched"):
        await mirror.fetch()


async def test_reading_before_the_first_fetch_says_so(tmp_path: Path) -> None:
    mirror = GitMirror(Remote(str(tmp_path)), tmp_path / "state")

    with pytest.raises(Unreachable, match="has not been fetched yet"):
        await mirror.head("main")


@pytest.mark.parametrize(
    ("complaint", "kind"),
    [
        ("fatal: Authentication failed for 'https://x'", AccessDenied),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", AccessDenied),
        ("git@github.com: Permission denied (publickey).", AccessDenied),
        ("The requested URL returned error: 403", AccessDenied),
        ("Could not resolve host: github.com", Unreachable),
        ("The requested URL returned error: 502", Unreachable),
    ],
)
def test_a_fetch_that_fails_says_whether_trying_again_helps(
    complaint: str, kind: type[SlipwayError]
) -> None:
    assert isinstance(Remote("https://example.invalid/x").fetch_error(complaint), kind)


@pytest.mark.parametrize(
    "url",
    [
        "https://robot:canary@example.invalid/x.git",
        "https://canary@example.invalid/x.git",
        "HTTPS://canary@example.invalid/x.git",
        "https://ro@canary@example.invalid/x.git",
        "http://canary@127.0.0.1:8000/x.git",
        "ssh://robot:canary@example.invalid/x.git",
    ],
)
def test_credentials_are_never_part_of_an_address(url: str) -> None:
    with pytest.raises(InvalidInput, match="give user and token as credentials") as refused:
        Remote(url)

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("url", ["ssh://git@example.invalid/x.git", "git@example.invalid:x.git"])
def test_the_user_of_ssh_is_no_credential(url: str) -> None:
    assert Remote(url).url == url


def test_what_a_server_repeats_of_a_credential_is_not_told() -> None:
    error = Remote("https://example.invalid/x").fetch_error("remote: bad token=canary")

    assert "canary" not in str(error)


def test_plain_http_is_for_loopback_only() -> None:
    Remote("http://127.0.0.1:8000/x.git")

    for planted in ("http://example.invalid/x.git", "http://127.0.0.1.example.invalid/x"):
        with pytest.raises(InvalidInput, match="plain http"):
            Remote(planted)


def test_credentials_are_in_the_environment_of_git_only() -> None:
    remote = Remote(
        "https://example.invalid/acme/x.git", GitCredentials("robot", SecretStr("canary"))
    )

    environment = remote.environment()

    assert "canary" not in repr(remote)
    assert "http.https://example.invalid/.extraHeader" in environment.values()
    assert "CI" not in environment
    assert "http" not in environment["GIT_ALLOW_PROTOCOL"].split(":")
