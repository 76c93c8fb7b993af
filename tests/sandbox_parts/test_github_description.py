"""The stand-in for GitHub's API, and what is asked of it, are as GitHub describes them."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from pydantic import SecretStr

from sandbox.github.api import Api
from sandbox.github.deliveries import HOOK, Hook
from sandbox.github.packages import Packages
from sandbox.github.shown import COMMIT_STATES, DEPLOYMENT_STATES, Shown
from slipway.clients.github import GitHubApi
from slipway.clients.github_actions import GitHubActions
from slipway.clients.github_hook import GitHubHook
from slipway.clients.github_packages import GitHubPackages, PackageOwner
from slipway.clients.github_session import GitHubSession, github_repository
from slipway.domain.image import Digest
from slipway.domain.write_back import (
    CommitState,
    CommitStatus,
    DeploymentState,
    DeploymentStatus,
)
from slipway.errors import AccessDenied, RegistryUnusable
from tests.ledger.examples import COMMIT, a_release
from tests.sandbox_parts.github_description import KEPT, trimmed

PACKAGE = Path(__file__).parent / "octokit"
WORKFLOW = ".github/workflows/images.yml"
ADDRESS = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(KEPT.read_text())
    return kept


class Held(httpx.AsyncBaseTransport):
    """Holds every request, and its answer, to the description."""

    def __init__(self, api: Api, described: Mapping[str, Any]) -> None:
        self.workflows = api.workflows
        self._inner = httpx.ASGITransport(api.app())
        self._described = described
        self.seen: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        route = self._route(request)
        told = self._described[route]
        self.seen.add(route)
        if request.content:
            jsonschema_rs.validate(told["asked"], json.loads(request.content))
            assert set(json.loads(request.content)) <= set(told["asked"]["properties"])
        assert set(request.url.params) <= set(told["query"])
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        schema = told["answered"][str(response.status_code)]
        if body or schema:
            jsonschema_rs.validate(schema, json.loads(body))
        links = {name: each for name, each in response.headers.items() if name == "link"}
        return httpx.Response(response.status_code, headers=links, content=body, request=request)

    def _route(self, request: httpx.Request) -> str:
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/repos/acme/shop")
        for route in self._described:
            method, _, pattern = route.partition(" ")
            if method == request.method and re.fullmatch(
                re.sub(r"\{[a-z_]+\}", "[^/]+", pattern), path
            ):
                return str(route)
        pytest.fail(f"{request.method} {path} is no route of the description's")


def session(held: Held) -> GitHubSession:
    return GitHubSession(github_repository("acme/shop", SecretStr("token"), ADDRESS), held)


@pytest.fixture
def held(described: dict[str, Any], tmp_path: Path) -> Held:
    hook = Hook("http://127.0.0.1:1/github", "secret", tmp_path / "deliveries.jsonl")
    hook.deliver("push", {"ref": "refs/heads/main"})  # nobody listens
    shown = Shown(f"{ADDRESS}/repos/acme/shop", lambda _: True)
    packages = Packages("acme", Shelved())
    return Held(Api("acme/shop", "token", shown, hook, packages), described)


class Shelved:
    """More images of one package than a page of versions has."""

    def __init__(self) -> None:
        digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(150)]
        self.there = {f"sha256:{each}": [f"tag-{each[:7]}"] for each in digests}

    def manifests(self, repository: str) -> Mapping[str, Sequence[str]]:
        assert repository == "acme/shop/web"
        return dict(self.there)

    def take(self, repository: str, digest: str) -> tuple[str, bytes]:
        assert repository == "acme/shop/web"
        del self.there[digest]
        return "", digest.encode()

    def put(self, repository: str, name: str, manifest: tuple[str, bytes]) -> None:
        assert repository == "acme/shop/web"
        self.there.setdefault(manifest[1].decode(), []).append(name)


async def test_versions_are_found_on_every_page_deleted_and_restored_as_described(
    held: Held,
) -> None:
    owner = PackageOwner("orgs/acme", SecretStr("token"), ADDRESS)
    packages = GitHubPackages(owner, lambda place: GitHubSession(place, held))
    digests = [Digest(each) for each in Shelved().there]

    async def number_now(digest: Digest) -> str:
        fresh = GitHubPackages(owner, packages.connect)
        return await fresh.restore_number("acme/shop/web", digest)

    numbers = [await packages.restore_number("acme/shop/web", each) for each in digests]
    for each in digests:
        await packages.remove("acme/shop/web", each)
    gone = [await number_now(each) for each in digests]
    package = packages.connect(owner.package("shop/web"))
    await package.send("POST", f"versions/{numbers[0]}/restore")

    assert all(numbers)
    assert set(gone) == {""}
    assert await number_now(digests[0]) == numbers[0]


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_deletion_of_what_somebody_else_has_deleted_is_done_and_a_denied_one_told(
    *, is_there: bool
) -> None:
    """GitHub answers both with 404."""
    version = {"id": 17, "name": next(iter(Shelved().there))}
    lists = [[version], [version] if is_there else []]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            return httpx.Response(404, json={"message": "Package not found."})
        return httpx.Response(200, json=lists.pop(0))

    owner, transport = (
        PackageOwner("orgs/acme", SecretStr("x"), ADDRESS),
        httpx.MockTransport(answer),
    )
    packages = GitHubPackages(owner, lambda place: GitHubSession(place, transport))
    denied = pytest.raises(AccessDenied, match="DELETE versions/17") if is_there else nullcontext()

    with denied:
        await packages.remove("acme/shop/web", Digest(str(version["name"])))


async def test_an_answer_that_is_no_list_of_versions_is_not_taken_for_an_empty_one() -> None:
    """What is on it would be told as deleted."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"message": "try later"}))
    owner = PackageOwner("orgs/acme", SecretStr("token"), ADDRESS)
    packages = GitHubPackages(owner, lambda place: GitHubSession(place, transport))

    with pytest.raises(RegistryUnusable, match="packages_api"):
        await packages.remove("acme/shop/web", next(Digest(each) for each in Shelved().there))


async def test_what_the_client_asks_and_the_stand_in_answers_is_as_described(held: Held) -> None:
    github = GitHubApi(session(held))
    for state in CommitState:
        status = CommitStatus("web-prod", state, "so it is", "https://prefect.example/1")
        await github.set_status(COMMIT, status)
    number = await github.open_deployment(a_release("one"))
    for progress in DeploymentState:
        await github.set_progress(number, DeploymentStatus(progress, "so it is"))
    await github.set_progress(
        number, DeploymentStatus(DeploymentState.SUCCESS, "live", "https://p")
    )
    another = await github.open_deployment(a_release("two"))
    await github.retire_others(
        "adapter-prod", another, DeploymentStatus(DeploymentState.INACTIVE, "another is live")
    )

    assert len(held.seen) >= 5


async def test_failed_deliveries_are_listed_and_sent_again_as_described(held: Held) -> None:
    hook = GitHubHook(session(held), HOOK)
    [failed] = await hook.attempts()

    await hook.redeliver(failed)

    assert (failed.event, failed.arrived) == ("push", False)
    assert [each.delivery for each in await hook.attempts()] == [failed.delivery] * 2


async def test_the_ends_of_workflows_are_asked_for_and_listed_as_described(held: Held) -> None:
    held.workflows.end(WORKFLOW, "main", COMMIT.sha, "success")

    newest = await GitHubActions(session(held)).newest_success(WORKFLOW, "main")

    assert newest == COMMIT


async def test_what_only_people_ask_is_answered_as_described(held: Held) -> None:
    await GitHubApi(session(held)).set_status(COMMIT, CommitStatus("a", CommitState.SUCCESS, "b"))

    answer = await session(held).send("GET", f"commits/{COMMIT}/statuses")

    assert [each["context"] for each in answer.json()] == ["slipway/a"]


def test_every_state_of_githubs_is_known_to_the_stand_in(described: dict[str, Any]) -> None:
    status = described["POST /statuses/{sha}"]["asked"]["properties"]["state"]["enum"]
    progress = described["POST /deployments/{deployment_id}/statuses"]["asked"]["properties"]

    assert set(status) == COMMIT_STATES
    assert set(progress["state"]["enum"]) == DEPLOYMENT_STATES


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm brings GitHub's description")
@pytest.mark.timeout(600)  # 385 MB are unpacked, where others are busy
def test_what_is_kept_of_githubs_description_is_what_it_says(
    described: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, tmp_path)
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm can't bring the description: {done.stderr[-300:]}")
    package = tmp_path / "node_modules/@octokit/openapi/generated"

    assert described == trimmed(json.loads((package / "api.github.com.json").read_text()))
    shutil.rmtree(tmp_path / "node_modules")
