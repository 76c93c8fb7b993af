"""The example's history is the same wherever it is made, and holds every kind of commit."""

import subprocess
from pathlib import Path

import pytest

from sandbox.example_history import MAIN_LINE, make_repository
from slipway.clients.git import GitMirror
from slipway.clients.git_remote import Remote
from slipway.domain.commit import Commit, CommitPrefix
from slipway.domain.target import Service
from slipway.errors import AmbiguousCommit

ADAPTER = Service("ls-triton-adapter", "adapter", "ghcr.io/oceanid/ls-triton-adapter")
SINK = Service("annotations-sink", "sink", "ghcr.io/oceanid/annotations-sink")


@pytest.fixture
def commits(tmp_path: Path) -> dict[str, Commit]:
    made = make_repository(tmp_path / "example.git")
    return {name: Commit(sha) for name, sha in made.items()}


@pytest.fixture
async def mirror(commits: dict[str, Commit], tmp_path: Path) -> GitMirror:
    mirror = GitMirror(Remote(str(tmp_path / "example.git")), tmp_path / "state")
    assert commits
    await mirror.fetch()
    return mirror


def test_it_is_made_the_same_way_everywhere(commits: dict[str, Commit], tmp_path: Path) -> None:
    elsewhere = make_repository(tmp_path / "elsewhere.git")

    assert elsewhere == {name: commit.sha for name, commit in commits.items()}


def test_making_it_again_leaves_what_somebody_pushed_since(
    commits: dict[str, Commit], tmp_path: Path
) -> None:
    repository = tmp_path / "example.git"
    git = ["git", "-C", str(repository)]
    subprocess.run([*git, "update-ref", "refs/heads/main", commits["second"].sha], check=True)

    make_repository(repository)

    head = subprocess.run([*git, "rev-parse", "main"], check=True, capture_output=True, text=True)
    assert head.stdout.strip() == commits["second"].sha


async def test_what_is_on_the_main_line_and_what_is_not(
    commits: dict[str, Commit], mirror: GitMirror
) -> None:
    off = {"inside_merge", "side", "twin_a", "twin_b"}

    assert await mirror.head("main") == commits["fifth"]
    for name, commit in commits.items():
        assert await mirror.on_main_line(commit, "main") is (name not in off), name


async def test_an_abbreviation_of_two_commits_is_refused_with_both_their_names(
    commits: dict[str, Commit], mirror: GitMirror
) -> None:
    assert commits["twin_a"] != commits["twin_b"]

    with pytest.raises(AmbiguousCommit) as refused:
        await mirror.resolve(CommitPrefix(commits["twin_a"].short))

    for name in ("twin_a", "twin_b"):
        assert f"{commits[name]} Twin" in str(refused.value)


async def test_each_commit_builds_something_new_where_it_says_so(
    commits: dict[str, Commit], mirror: GitMirror
) -> None:
    ids = [await mirror.build_inputs(commits[each.name], ADAPTER) for each in MAIN_LINE]
    changed = [
        step.name
        for step, before, now in zip(MAIN_LINE[1:], ids[:-1], ids[1:], strict=True)
        if before != now
    ]

    unchanged = {"first", "docs_only", "sink_second"}
    assert changed == [each.name for each in MAIN_LINE if each.name not in unchanged]
    sinks = {await mirror.build_inputs(commits[each.name], SINK) for each in MAIN_LINE}
    assert len(sinks) == 2


async def test_the_program_changes_where_it_is_meant_to_and_back(
    commits: dict[str, Commit], mirror: GitMirror
) -> None:
    texts = {}
    for name in ("dies_soon", "breaks_program", "changes_more", "fourth"):
        async with mirror.checkout(commits[name]) as tree:
            texts[name] = (tree / "cluster/Pulumi.yaml").read_text()

    assert texts["fourth"] == texts["dies_soon"]
    assert texts["breaks_program"].count("${adapterImage}") == 1
    changed = set(texts["changes_more"].splitlines()) - set(texts["fourth"].splitlines())
    assert [line.strip() for line in changed] == ["replicas: 2"]
