"""What GitHub's answers mean; the shapes of both are held in tests/sandbox_parts."""

import json
import time
from collections.abc import Callable

import httpx
import pytest
from pydantic import SecretStr

from slipway.clients import github, github_hook, github_session
from slipway.clients.github import GitHubApi
from slipway.clients.github_hook import GitHubHook
from slipway.clients.github_session import GitHubSession, github_repository
from slipway.domain.write_back import CommitState, CommitStatus
from slipway.errors import AccessDenied, InvalidInput, Unreachable
from tests.ledger.examples import COMMIT, a_release

TOKEN = SecretStr("canary-token")
STATUS = CommitStatus("web-prod", CommitState.SUCCESS, "live", "https://prefect.example/1")
Handler = Callable[[httpx.Request], httpx.Response]


def api(handler: Handler) -> GitHubApi:
    return GitHubApi(session(handler))


def session(handler: Handler) -> GitHubSession:
    return GitHubSession(github_repository("acme/shop", TOKEN), httpx.MockTransport(handler))


def answering(*answers: httpx.Response) -> Handler:
    """These answers in turn, and the last one ever after."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


async def test_a_status_is_sent_where_and_as_github_takes_it() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={})

    await api(handler).set_status(COMMIT, STATUS)

    [request] = seen
    assert str(request.url) == f"https://api.github.com/repos/acme/shop/statuses/{COMMIT}"
    assert request.headers["authorization"] == "Bearer canary-token"
    assert request.headers["x-github-api-version"] == github_session.VERSION
    assert json.loads(request.content) == {
        "state": "success",
        "context": "slipway/web-prod",
        "description": "live",
        "target_url": "https://prefect.example/1",
    }


@pytest.mark.parametrize("link", ["", "run-1", "javascript:alert(1)"])
async def test_a_link_that_nobody_can_follow_is_left_out(link: str) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={})

    status = CommitStatus("web-prod", CommitState.PENDING, "soon", link)
    await api(handler).set_status(COMMIT, status)

    assert "target_url" not in json.loads(seen[0].content)


@pytest.mark.parametrize(
    "turned_away",
    [
        httpx.Response(429, headers={"retry-after": "0"}),
        httpx.Response(403, headers={"retry-after": "0"}, json={"message": "secondary rate limit"}),
        httpx.Response(
            403,
            headers={
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str(int(time.time()) - 5),
            },
        ),
    ],
)
async def test_what_was_turned_away_for_its_rate_is_sent_again(turned_away: httpx.Response) -> None:
    await api(answering(turned_away, httpx.Response(201, json={}))).set_status(COMMIT, STATUS)


@pytest.mark.parametrize(
    "turned_away",
    [
        httpx.Response(429, headers={"retry-after": "3600"}),
        httpx.Response(403, json={"message": "You have exceeded a secondary rate limit."}),
        httpx.Response(
            403,
            headers={
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str(int(time.time()) + 3600),
            },
        ),
        httpx.Response(502),
    ],
)
async def test_a_long_pause_is_not_waited_for(turned_away: httpx.Response) -> None:
    with pytest.raises(Unreachable, match="can't now POST"):
        await api(answering(turned_away)).set_status(COMMIT, STATUS)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_token_that_may_not_is_denied_with_the_permission_that_it_lacks(
    status: int,
) -> None:
    lacking = {"x-accepted-github-permissions": "statuses=write"}
    answer = httpx.Response(status, headers=lacking, json={"message": "no"})

    with pytest.raises(AccessDenied) as denied:
        await api(answering(answer)).set_status(COMMIT, STATUS)

    assert "github_token" in str(denied.value)
    assert status == 401 or "give it statuses=write" in str(denied.value)
    assert "canary" not in str(denied.value)


@pytest.mark.parametrize("status", [301, 409, 422])
async def test_what_github_does_not_take_is_told_in_its_own_words(status: int) -> None:
    answer = httpx.Response(status, json={"message": "No commit found for SHA"})

    with pytest.raises(InvalidInput, match="No commit found for SHA"):
        await api(answering(answer)).set_status(COMMIT, STATUS)


def renamed(request: httpx.Request) -> httpx.Response:
    """GitHub, where acme/shop is called acme/store now, and is repository 7."""
    rest = request.url.path.removeprefix("/repos/acme/shop")
    if rest != request.url.path:
        there = f"https://api.github.com/repositories/7{rest}?{request.url.query.decode()}"
        status = 301 if request.method == "GET" else 307
        return httpx.Response(status, headers={"location": there})
    if request.url.path == "/repositories/7":
        return httpx.Response(200, json={"full_name": "acme/store"})
    assert request.method == "GET"
    assert request.headers["authorization"] == "Bearer canary-token"
    return httpx.Response(200, json=[attempt(1)])


async def test_a_renamed_repository_is_read_where_it_is() -> None:
    assert [each.number for each in await GitHubHook(session(renamed), 7).attempts()] == [1]


async def test_of_a_renamed_repository_the_new_name_is_told_before_anything_is_written() -> None:
    with pytest.raises(InvalidInput) as moved:
        await api(renamed).set_status(COMMIT, STATUS)

    assert str(moved.value) == (
        "acme/shop has moved at GitHub to acme/store: write that into slipway.toml"
    )


async def test_where_the_new_name_can_not_be_asked_the_address_is_told() -> None:
    there = "https://api.github.com/repositories/7/statuses"
    everywhere = answering(httpx.Response(307, headers={"location": there}))

    with pytest.raises(InvalidInput, match=f"has moved at GitHub to {there}: write"):
        await api(everywhere).set_status(COMMIT, STATUS)


async def test_the_token_goes_along_to_no_other_host() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "api.github.com":
            elsewhere = {"location": "https://mallory.example/repositories/7/statuses"}
            return httpx.Response(307, headers=elsewhere)
        return httpx.Response(200, json=[])

    await GitHubHook(session(handler), 7).attempts()
    with pytest.raises(InvalidInput, match="has moved"):
        await api(handler).set_status(COMMIT, STATUS)

    strangers = [each for each in seen if each.url.host != "api.github.com"]
    assert strangers
    assert not any("authorization" in each.headers for each in strangers)
    assert {each.method for each in strangers} == {"GET"}


async def test_no_answer_is_unreachable() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("late", request=request)

    with pytest.raises(Unreachable, match="ConnectTimeout"):
        await api(handler).set_status(COMMIT, STATUS)


@pytest.mark.parametrize("payload", ["", "not JSON", '"text"', "{}", {}, [], None])
async def test_deployments_of_others_are_not_taken_for_ours(payload: object) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=[{"id": 1, "payload": payload}])
        return httpx.Response(201, json={"id": 2})

    assert await api(handler).open_deployment(a_release()) == 2


async def test_a_deployment_whose_answer_was_lost_is_found_again() -> None:
    mark = json.dumps({github.MARK: "release"})

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        return httpx.Response(200, json=[{"id": 7, "payload": mark}])

    assert await api(handler).open_deployment(a_release()) == 7


async def test_a_page_that_is_not_the_api_is_told_from_it() -> None:
    with pytest.raises(Unreachable, match="github_api"):
        await api(answering(httpx.Response(200, html="<html>"))).open_deployment(a_release())


@pytest.mark.parametrize("address", ["http://github.example", "ftp://github.example", ""])
def test_the_token_goes_over_https_only(address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        github_repository("acme/shop", TOKEN, address)

    assert "canary" not in str(refused.value)


def test_the_token_does_not_show() -> None:
    assert "canary" not in repr(api(answering(httpx.Response(200))))


def attempt(number: int, **changes: object) -> dict[str, object]:
    return {
        "id": number,
        "guid": f"guid-{number}",
        "event": "push",
        "delivered_at": "2026-11-26T16:00:00Z",
        "status_code": 502,
        **changes,
    }


async def test_every_page_of_attempts_is_read_and_what_is_none_left_out() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.query.decode())
        if "cursor" in asked[-1]:
            return httpx.Response(200, json=[attempt(1), attempt(0, guid=None)])
        link = f'<{request.url}&cursor=v1_2>; rel="next"'
        return httpx.Response(200, json=[attempt(3), attempt(2)], headers={"link": link})

    found = await GitHubHook(session(handler), 7).attempts()

    assert [each.number for each in found] == [3, 2, 1]
    assert asked == ["per_page=100", "per_page=100&cursor=v1_2"]


async def test_pages_without_end_are_not_read_for_ever() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        link = f'<{request.url}>; rel="next"'
        return httpx.Response(200, json=[attempt(1)], headers={"link": link})

    assert len(await GitHubHook(session(handler), 7).attempts()) == github_hook.PAGES
