"""Whether an account may push to a repository, asked without pushing anything."""

import contextlib
from urllib.parse import urljoin

import httpx

from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import ImageReference
from slipway.errors import RegistryUnusable, SlipwayError

PULL_AND_PUSH = "pull,push"


async def require_push(session: RegistrySession, reference: ImageReference) -> None:
    """Begin an upload and give it up, as go-containerregistry's CheckPushPermission does.

    The token alone does not tell: an issuer may grant less than was asked, and need not let us
    read what it has granted.
    """
    host = reference.host
    path = f"/v2/{reference.path}/blobs/uploads/"
    answer = await session.request("POST", host, path, scope=(reference.path, PULL_AND_PUSH))
    if answer.status != httpx.codes.ACCEPTED:
        raise RegistryUnusable(
            f"registry {host} answered the beginning of an upload to {reference.path} with HTTP "
            f"{answer.status} {answer.problem}: check that the repository takes images"
        )
    begun = urljoin(session.address(host, path), answer.headers.get("location", ""))
    ours = session.address(host, "/")
    if begun.startswith(ours):
        # A registry forgets uploads that nobody ends, where it does not let us end ours.
        with contextlib.suppress(SlipwayError):
            scope = (reference.path, f"{PULL_AND_PUSH},delete")
            await session.request("DELETE", host, begun.removeprefix(ours[:-1]), scope=scope)
