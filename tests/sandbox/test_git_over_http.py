"""Credentials of a repository reach its server, and nobody who lists processes or reads errors."""

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from sandbox.example_history import make_repository
from slipway.clients.git import GitMirror
from slipway.clients.git_remote import GitCredentials, Remote
from slipway.domain.commit import Commit
from slipway.errors import AccessDenied
from tests.clients.test_git import Work
from tests.sandbox.git_server import Server, serving

pytestmark = pytest.mark.sandbox

TOKEN = "canary-of-the-repository"
BASIC = base64.b64encode(f"robot:{TOKEN}".encode())


@pytest.fixture
def commits(tmp_path: Path) -> dict[str, str]:
    made = make_repository(tmp_path / "example.git")
    Work(tmp_path / "example.git").git("update-server-info")
    return made


@pytest.fixture
def server(commits: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    assert commits
    with serving(tmp_path, "robot", TOKEN) as made:
        yield made


def arguments() -> Iterator[bytes]:
    """What the processes of this machine tell of themselves to anybody."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield path.read_bytes()


def mirror(server: Server, folder: Path, token: str | None) -> GitMirror:
    credentials = GitCredentials("robot", SecretStr(token)) if token else None
    url = f"http://127.0.0.1:{server.server_address[1]}/example.git"
    return GitMirror(Remote(url, credentials), folder / "state", fetch_within=20)


async def test_credentials_open_the_repository_and_no_process_tells_them(
    server: Server, commits: dict[str, str], tmp_path: Path
) -> None:
    reader = mirror(server, tmp_path, TOKEN)
    seen: set[bytes] = set()
    server.on_request = lambda: seen.update(arguments())

    await reader.fetch()

    assert await reader.head("main") == Commit(commits["fifth"])
    told = b"\n".join(seen)
    assert b"git" in told
    assert TOKEN.encode() not in told
    assert BASIC not in told


@pytest.mark.parametrize("token", [None, "canary-that-is-wrong"])
async def test_without_the_right_ones_the_end_is_a_refusal_and_no_prompt(
    server: Server, tmp_path: Path, token: str | None
) -> None:
    with pytest.raises(AccessDenied, match="may not be read") as refused:
        await mirror(server, tmp_path, token).fetch()

    assert "canary" not in str(refused.value)


async def test_nothing_of_them_stays_in_the_mirror(server: Server, tmp_path: Path) -> None:
    reader = mirror(server, tmp_path, TOKEN)

    await reader.fetch()

    for path in (tmp_path / "state").rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes()
            assert BASIC not in path.read_bytes()
