"""Runs are started through Prefect's REST API; tests/runs tries the same on a real server."""

import base64
import json
from collections.abc import Callable

import httpx
import pytest
from pydantic import SecretStr

from slipway.clients.prefect_api import PrefectApi, PrefectServer
from slipway.errors import AccessDenied, InvalidInput, Unreachable
from slipway.ports import RunState

URL = "https://prefect.example/api"
SECRET = SecretStr("ada:hunter2")
Handler = Callable[[httpx.Request], httpx.Response]


def api(handler: Handler, server: PrefectServer | None = None) -> PrefectApi:
    return PrefectApi(server or PrefectServer(URL), httpx.MockTransport(handler))


def answering(status: int, body: object = None) -> Handler:
    return lambda _: httpx.Response(status, json=body)


async def test_a_run_is_started_by_its_deployments_name_and_under_its_key() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"id": "run" if request.method == "POST" else "0b8e"})

    run = await api(handler).start("deploy/shop prod", {"commit": "1" * 40}, "the key")

    assert run == "run"
    find, create = seen
    assert find.url.raw_path == b"/api/deployments/name/deploy/shop%20prod"
    assert create.url.path == "/api/deployments/0b8e/create_flow_run"
    assert json.loads(create.content) == {
        "parameters": {"commit": "1" * 40},
        "idempotency_key": "the key",
    }


@pytest.mark.parametrize(
    ("server", "sent"),
    [
        (PrefectServer(URL), None),
        (PrefectServer(URL, key=SecretStr("pnu_x")), "Bearer pnu_x"),
        (
            PrefectServer(URL, auth_string=SECRET),
            f"Basic {base64.b64encode(b'ada:hunter2').decode()}",
        ),
    ],
)
async def test_credentials_are_sent_as_the_server_takes_them(
    server: PrefectServer, sent: str | None
) -> None:
    seen: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"state": {"type": "RUNNING"}})

    assert await api(handler, server).state("run") is RunState.TAKEN
    assert seen == [sent]


@pytest.mark.parametrize(
    "url", ["ftp://prefect/api", "prefect.example/api", "http://prefect.example/api"]
)
def test_credentials_go_over_https_only_and_are_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        PrefectServer(url, auth_string=SECRET)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:hunter2@prefect.example/api",
        "https://hunter2@prefect.example/api",
        "http://ada:hunter2@127.0.0.1:4200/api",
        "ftp://ada:hunter2@prefect.example/api",
        "ada:hunter2@prefect.example/api",
    ],
)
def test_an_address_that_holds_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput, match="PREFECT_API_AUTH_STRING") as refused:
        PrefectServer(url)

    assert "hunter2" not in str(refused.value)


def test_on_this_machine_plain_http_is_enough() -> None:
    assert "hunter2" not in repr(PrefectServer("http://127.0.0.1:4200/api", auth_string=SECRET))


@pytest.mark.parametrize(
    ("type_", "state"),
    [
        ("SCHEDULED", RunState.WAITS),
        ("PENDING", RunState.TAKEN),
        ("RUNNING", RunState.TAKEN),
        ("PAUSED", RunState.TAKEN),
        ("CANCELLING", RunState.STOPPING),
        ("CRASHED", RunState.CRASHED),
        ("COMPLETED", RunState.ENDED),
        ("FAILED", RunState.ENDED),
        ("CANCELLED", RunState.ENDED),
    ],
)
async def test_how_far_a_run_is_is_told_by_the_type_of_its_state(
    type_: str, state: RunState
) -> None:
    body = {"state": {"type": type_, "name": "Whatever"}}

    assert await api(answering(200, body)).state("run") is state
    assert state.is_over == (type_ in {"CRASHED", "COMPLETED", "FAILED", "CANCELLED"})


@pytest.mark.parametrize(
    ("url", "ui", "shown"),
    [
        ("http://127.0.0.1:4200/api", "", "http://127.0.0.1:4200"),
        ("http://127.0.0.1:4200/api/", "", "http://127.0.0.1:4200"),
        ("https://prefect.acme/inner/api", "", "https://prefect.acme/inner"),
        (
            "https://api.prefect.cloud/api/accounts/1/workspaces/2",
            "",
            "https://app.prefect.cloud/account/1/workspace/2",
        ),
        ("https://prefect.acme/api", "https://see.acme/", "https://see.acme"),
    ],
)
def test_a_run_is_shown_where_prefects_own_programs_say(url: str, ui: str, shown: str) -> None:
    prefect = PrefectApi(PrefectServer(url, ui=ui))

    assert prefect.link("0b8e") == f"{shown}/runs/flow-run/0b8e"


async def test_a_run_that_somebody_deleted_has_ended() -> None:
    assert await api(answering(404)).state("run") is RunState.ENDED


@pytest.mark.parametrize(("type_", "marked"), [("PENDING", True), ("COMPLETED", False)])
async def test_a_run_that_is_given_up_is_marked_as_crashed_unless_it_is_over(
    type_: str, *, marked: bool
) -> None:
    sent: list[tuple[str, object]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            sent.append((request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={"state": {"type": type_}})

    await api(handler).give_up("run", "its worker died")

    state = {"type": "CRASHED", "name": "Crashed", "message": "its worker died"}
    wanted = [("/api/flow_runs/run/set_state", {"state": state})]
    assert sent == (wanted if marked else [])


@pytest.mark.parametrize(
    ("status", "type_", "ended"),
    [
        ("REJECT", "CANCELLED", True),
        ("ACCEPT", "CANCELLING", False),
        ("ABORT", "COMPLETED", False),
        ("ABORT", "CANCELLED", False),
    ],
)
async def test_a_run_is_withdrawn_where_prefect_cancels_it_at_once(
    status: str, type_: str, *, ended: bool
) -> None:
    answer = answering(201, {"status": status, "state": {"type": type_}})

    assert await api(answer).withdraw("run", "superseded") is ended


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_server_that_can_not_now_is_unreachable(status: int) -> None:
    for asking in (
        api(answering(status)).start("deploy/x", {}, "key"),
        api(answering(status)).state("x"),
        api(answering(status)).withdraw("x", "superseded"),
        api(answering(status)).give_up("x", "lost"),
    ):
        with pytest.raises(Unreachable, match=URL):
            await asking


async def test_a_server_that_does_not_answer_is_unreachable() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(Unreachable, match="ConnectError"):
        await api(handler).start("deploy/x", {}, "key")


async def test_a_page_that_is_not_the_api_is_told_from_one() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, html="<html>the UI</html>")

    with pytest.raises(Unreachable, match="/api"):
        await api(handler).start("deploy/x", {}, "key")


async def test_a_deployment_that_is_not_registered_is_named_with_its_remedy() -> None:
    with pytest.raises(InvalidInput, match=r"deploy/x.*slipway register"):
        await api(answering(404)).start("deploy/x", {}, "key")


async def test_parameters_that_the_deployment_does_not_take_are_told() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"id": "0b8e"})
        return httpx.Response(409, json={"detail": "Error creating flow run: no such parameter"})

    with pytest.raises(InvalidInput, match="no such parameter"):
        await api(handler).start("deploy/x", {}, "key")


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_that_are_not_taken_are_denied(status: int) -> None:
    with pytest.raises(AccessDenied, match="PREFECT_API_KEY"):
        await api(answering(status)).start("deploy/x", {}, "key")


async def test_a_server_that_guards_against_forgery_gets_the_token_that_it_gives() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/csrf-token"):
            return httpx.Response(200, json={"token": "t-1", "client": request.url.query.decode()})
        if request.method == "GET":
            return httpx.Response(200, json={"id": "0b8e"})
        if request.headers.get("prefect-csrf-token") != "t-1":
            return httpx.Response(403, json={"detail": "Missing CSRF token."})
        return httpx.Response(201, json={"id": "run"})

    assert await api(handler).start("deploy/x", {}, "key") == "run"
