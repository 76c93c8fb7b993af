"""Requests to GitHub's REST API: who asks, how often, and what is answered."""

import asyncio
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from slipway.clients.loopback import is_loopback
from slipway.clients.trust import trusted
from slipway.domain.redaction import redacted
from slipway.errors import AccessDenied, InvalidInput, Unreachable

log = logging.getLogger(__name__)

PUBLIC = "https://api.github.com"
VERSION = "2022-11-28"
TIMEOUT = httpx.Timeout(8.0, connect=4.0)
RATE_TRIES = 2
MOST_REDIRECTS = 3
_REPOSITORIES = "repos/"
_BY_NUMBER = re.compile(r"/repositories/([0-9]+)(?:/|\Z)")
LONGEST_PAUSE = 5.0
"""Seconds that GitHub may ask us to wait and is obeyed here; a longer pause is not waited for."""


@dataclass(frozen=True, slots=True)
class GitHubPlace:
    """A thing of GitHub's that has an address in its API, and who we are there."""

    path: str
    """`repos/owner/name`."""
    token: SecretStr
    api: str = PUBLIC
    credential: str = "`github_token`"
    """Whose the token is, where people have to mend it."""
    address: str = "github_api"
    """The setting that `api` comes from."""

    def __post_init__(self) -> None:
        there = httpx.URL(self.api)
        plain = there.scheme == "http" and is_loopback(there.host)
        if there.scheme != "https" and not plain:
            raise InvalidInput(
                f"GitHub's API {self.api!r} is not an https address, and the token is sent nowhere "
                f"else: correct `{self.address}`"
            )

    @property
    def name(self) -> str:
        """As people call it: `owner/name`."""
        return self.path.removeprefix(_REPOSITORIES)


def github_repository(name: str, token: SecretStr, api: str = PUBLIC) -> GitHubPlace:
    """The place of a repository, `owner/name`."""
    return GitHubPlace(f"{_REPOSITORIES}{name}", token, api)


@dataclass(slots=True)
class GitHubSession:
    """Asks about one place.

    Each request has a connection of its own: a release makes about ten of them, minutes apart, and
    nobody has to close anything after the last word.
    """

    place: GitHubPlace
    transport: httpx.AsyncBaseTransport | None = field(default=None, repr=False)

    async def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """One request below the place, and its answer, which is a good one.

        Sent again where GitHub turned it away for its rate, and wants no long pause.
        """
        answer = await self._send_once(method, path, body)
        for _ in range(RATE_TRIES):
            pause = _pause_asked_for(answer)
            if pause is None or pause > LONGEST_PAUSE:
                break
            log.info("GitHub asks for %g s of patience", pause)
            await asyncio.sleep(pause)
            answer = await self._send_once(method, path, body)
        if answer.has_redirect_location:
            raise await self._moved(answer.headers["location"])
        return self._judge(method, path, answer)

    async def _send_once(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> httpx.Response:
        try:
            async with self._connection() as client:
                # Redirects of what changes nothing are followed, as GitHub asks for; httpx takes
                # the token to no other host.
                return await client.request(
                    method, path, json=body, follow_redirects=method == "GET"
                )
        except httpx.HTTPError as error:
            raise Unreachable(
                f"GitHub at {self.place.api} did not answer {method} {path} "
                f"({type(error).__name__}): check `{self.place.address}` and the network"
            ) from error

    async def _moved(self, location: str) -> InvalidInput:
        """Why nothing is written that GitHub has another address for: people have to know it.

        The deliveries of a renamed repository name the new one, which is nobody's until then.
        """
        # https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api: a
        # renamed repository's requests are sent on to /repositories/ID.
        found = _BY_NUMBER.search(location)
        there = await self._name_of(found[1]) if found else ""
        return InvalidInput(
            f"{self.place.name} has moved at GitHub to {there or redacted(location)}: write that "
            "into slipway.toml"
        )

    async def _name_of(self, number: str) -> str:
        """What a repository is called now; empty where that can't be asked."""
        try:
            async with self._connection() as client:
                answer = await client.get(f"{self.place.api.rstrip('/')}/repositories/{number}")
        except httpx.HTTPError:
            return ""
        return str(object_in(answer).get("full_name", ""))

    def _judge(self, method: str, path: str, answer: httpx.Response) -> httpx.Response:
        """The answer if it is good; everything else as one of our errors."""
        if answer.is_success:
            return answer
        what = f"{method} {path} of {self.place.name} (HTTP {answer.status_code} "
        what += f"{_problem(answer)})"
        if answer.is_server_error or _pause_asked_for(answer) is not None:
            raise Unreachable(f"GitHub can't now {what}: check its status page if it stays")
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise AccessDenied(
                f"GitHub does not accept {self.place.credential} for {what}: make a new one"
            )
        if answer.status_code in {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND}:
            wanted = answer.headers.get("x-accepted-github-permissions", "")
            raise AccessDenied(
                f"{self.place.credential} may not {what}: give it "
                f"{wanted or 'access to what is there'}"
            )
        raise InvalidInput(f"GitHub does not take {what}: check what is there and its rules")

    def _sign(self, request: httpx.Request) -> httpx.Request:
        """Add the token; being the client's own `auth`, a .netrc does not replace it."""
        token = self.place.token.get_secret_value()
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _connection(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"{self.place.api.rstrip('/')}/{self.place.path}",
            headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION},
            auth=self._sign,
            verify=trusted(),
            transport=self.transport,
            timeout=TIMEOUT,
            max_redirects=MOST_REDIRECTS,
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


def object_in(answer: httpx.Response) -> Mapping[str, Any]:
    """The answer as an object; empty when it is none."""
    body = _read(answer)
    return body if isinstance(body, dict) else {}


def items_in(answer: httpx.Response) -> Sequence[Mapping[str, Any]]:
    """The answer as a list of objects; empty when it is none."""
    body = _read(answer)
    return [each for each in body if isinstance(each, dict)] if isinstance(body, list) else []


def _read(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _problem(answer: httpx.Response) -> str:
    """GitHub's own words for an error, short enough for a message."""
    message = object_in(answer).get("message") or answer.text
    return " ".join(str(message).split())[:200]
