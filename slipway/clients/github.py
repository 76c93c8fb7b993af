"""GitHub's REST API: commit statuses and deployments, for those who look there."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from slipway.clients.loopback import is_loopback
from slipway.clients.trust import trusted
from slipway.domain.commit import Commit
from slipway.domain.release import Release
from slipway.domain.write_back import CommitStatus, DeploymentState, DeploymentStatus, short
from slipway.errors import AccessDenied, InvalidInput, Unreachable

log = logging.getLogger(__name__)

PUBLIC = "https://api.github.com"
VERSION = "2022-11-28"
TIMEOUT = httpx.Timeout(8.0, connect=4.0)
RATE_TRIES = 2
LONGEST_PAUSE = 5.0
"""Seconds that GitHub may ask us to wait and is obeyed here; a longer pause is not waited for."""
LATEST = 30
"""Deployments of an environment among which ours are looked for."""
MARK = "slipway_release"
"""What a deployment's payload names its release by."""


@dataclass(frozen=True, slots=True)
class GitHubRepository:
    """A repository, and who we are there."""

    name: str
    """`owner/name`."""
    token: SecretStr
    api: str = PUBLIC

    def __post_init__(self) -> None:
        address = httpx.URL(self.api)
        plain = address.scheme == "http" and is_loopback(address.host)
        if address.scheme != "https" and not plain:
            raise InvalidInput(
                f"GitHub's API {self.api!r} is not an https address, and the token is sent nowhere "
                "else: correct `github_api`"
            )


@dataclass(slots=True)
class GitHubApi:
    """The `WriteBack` port on one repository.

    Each request has a connection of its own: a release makes about ten of them, minutes apart, and
    nobody has to close anything after the last word.
    """

    repository: GitHubRepository
    transport: httpx.AsyncBaseTransport | None = field(default=None, repr=False)

    async def set_status(self, commit: Commit, status: CommitStatus) -> None:
        """See `slipway.ports.CommitStatuses`."""
        body: dict[str, Any] = {
            "state": status.state.value,
            "context": status.context,
            "description": status.description,
            **_linked("target_url", status.link),
        }
        await self._send("POST", f"statuses/{commit}", body)

    async def open_deployment(self, release: Release) -> int:
        """See `slipway.ports.Deployments`."""
        for each in await self._deployments(release.target):
            if _release_of(each) == release.id:
                return _number_in(each)
        request = release.request
        body: dict[str, Any] = {
            "ref": str(release.commit),
            "environment": release.target,
            "task": release.kind.value,
            "description": short(f"{release.kind} by {request.requested_by}: {request.why}"),
            "payload": {MARK: release.id},
            # What else is said of the commit is not ours to judge, and nothing is merged for it.
            "auto_merge": False,
            "required_contexts": [],
        }
        answer = await self._send("POST", "deployments", body)
        return _number_in(_object_in(answer))

    async def set_progress(self, deployment: int, status: DeploymentStatus) -> None:
        """See `slipway.ports.Deployments`."""
        body: dict[str, Any] = {
            "state": status.state.value,
            "description": status.description,
            # GitHub's own way leaves production environments out: `retire_others` does it.
            "auto_inactive": False,
            **_linked("log_url", status.link),
        }
        await self._send("POST", f"deployments/{deployment}/statuses", body)

    async def retire_others(self, target: str, live: int, status: DeploymentStatus) -> None:
        """See `slipway.ports.Deployments`."""
        for each in await self._deployments(target):
            number = _number_in(each)
            if number == live or _release_of(each) is None:
                continue
            newest = await self._send("GET", f"deployments/{number}/statuses?per_page=1")
            state = next((one.get("state") for one in _items_in(newest)), None)
            if state == DeploymentState.SUCCESS:
                await self.set_progress(number, status)
            if state in {DeploymentState.SUCCESS, DeploymentState.INACTIVE}:
                return

    async def _deployments(self, target: str) -> Sequence[Mapping[str, Any]]:
        """The environment's newest deployments, newest first."""
        query = httpx.QueryParams({"environment": target, "per_page": LATEST})
        return _items_in(await self._send("GET", f"deployments?{query}"))

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """One request; sent again where GitHub turned it away for its rate, and soon is enough."""
        answer = await self._send_once(method, path, body)
        for _ in range(RATE_TRIES):
            pause = _pause_asked_for(answer)
            if pause is None or pause > LONGEST_PAUSE:
                break
            log.info("GitHub asks for %g s of patience", pause)
            await asyncio.sleep(pause)
            answer = await self._send_once(method, path, body)
        return self._judge(method, path, answer)

    async def _send_once(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> httpx.Response:
        try:
            async with self._connection() as client:
                return await client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"GitHub at {self.repository.api} did not answer {method} {path} "
                f"({type(error).__name__}): check `github_api` and the network"
            ) from error

    def _judge(self, method: str, path: str, answer: httpx.Response) -> httpx.Response:
        """The answer if it is good; everything else as one of our errors."""
        if answer.is_success:
            return answer
        what = f"{method} {path} of {self.repository.name} (HTTP {answer.status_code} "
        what += f"{_problem(answer)})"
        if answer.is_server_error or _pause_asked_for(answer) is not None:
            raise Unreachable(f"GitHub can't now {what}: check its status page if it stays")
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise AccessDenied(f"GitHub does not accept `github_token` for {what}: make a new one")
        if answer.status_code in {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND}:
            wanted = answer.headers.get("x-accepted-github-permissions", "")
            raise AccessDenied(
                f"`github_token` may not {what}: give it {wanted or 'access to the repository'}"
            )
        raise InvalidInput(f"GitHub does not take {what}: check the repository and its rules")

    def _sign(self, request: httpx.Request) -> httpx.Request:
        """Add the token; being the client's own `auth`, a .netrc does not replace it."""
        token = self.repository.token.get_secret_value()
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _connection(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"{self.repository.api.rstrip('/')}/repos/{self.repository.name}",
            headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION},
            auth=self._sign,
            verify=trusted(),
            transport=self.transport,
            timeout=TIMEOUT,
        )


def _pause_asked_for(answer: httpx.Response) -> float | None:
    """Seconds that GitHub wants us to wait; None where the rate is not what it turns away for.

    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api: 403 or 429 with
    Retry-After, or else with nothing remaining until x-ratelimit-reset; secondary limits may name
    neither, and want a minute.
    """
    if answer.status_code not in {httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS}:
        return None
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    reset = answer.headers.get("x-ratelimit-reset", "").strip()
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(0.0, float(reset) - time.time())
    is_rate = answer.status_code == httpx.codes.TOO_MANY_REQUESTS
    return 60.0 if is_rate or "rate limit" in answer.text.lower() else None


def _linked(name: str, link: str) -> dict[str, str]:
    """A link for those who can follow it: GitHub takes http and https only."""
    return {name: link} if link.startswith(("http://", "https://")) else {}


def _release_of(deployment: Mapping[str, Any]) -> str | None:
    """The release that a deployment of Slipway's was made for."""
    payload = deployment.get("payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload or "{}")
        except ValueError:
            return None
    mark = payload.get(MARK) if isinstance(payload, dict) else None
    return mark if isinstance(mark, str) else None


def _number_in(deployment: Mapping[str, Any]) -> int:
    number = deployment.get("id")
    if not isinstance(number, int):
        raise Unreachable("GitHub names no deployment's id: set `github_api` to its REST API")
    return number


def _object_in(answer: httpx.Response) -> Mapping[str, Any]:
    body = _read(answer)
    return body if isinstance(body, dict) else {}


def _items_in(answer: httpx.Response) -> Sequence[Mapping[str, Any]]:
    body = _read(answer)
    return [each for each in body if isinstance(each, dict)] if isinstance(body, list) else []


def _read(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _problem(answer: httpx.Response) -> str:
    """GitHub's own words for an error, short enough for a message."""
    message = _object_in(answer).get("message") or answer.text
    return " ".join(str(message).split())[:200]
