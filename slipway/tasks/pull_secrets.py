"""Whether nodes can pull an image, tried with the pull secrets' own credentials."""

import logging

from slipway.domain.image import ImageReference
from slipway.domain.node_credentials import NOT_SHOWN, denied_pull, pulled_by
from slipway.domain.workloads import Workloads
from slipway.errors import AccessDenied, ImageMissing, PullSecretUnusable
from slipway.ports import Ports, PullCredentials, PullSecret

log = logging.getLogger(__name__)


async def require_pullable(ports: Ports, seen: Workloads, image: ImageReference) -> str:
    """Refuse unless a pull secret of the pod template really pulls the image.

    Where it names none, and pods show that nodes pull all the same, nobody can tell beforehand:
    that is what is returned, in words; else nothing.
    """
    secrets = await ports.cluster.pull_secrets(seen)
    if not secrets:
        return await _require_without_secret(ports, seen, image)
    problems: list[PullSecretUnusable] = []
    for secret in secrets:
        try:
            credentials = credentials_for(seen, secret, image.host)
            await _probe(ports, seen, image, credentials, f"pull secret {secret.name}")
        except PullSecretUnusable as error:
            problems.append(error)
        else:
            return ""
    raise problems[0]


async def _require_without_secret(ports: Ports, seen: Workloads, image: ImageReference) -> str:
    try:
        await _probe(ports, seen, image, None, "no pull secret (the pod template names none)")
    except PullSecretUnusable as error:
        if not (why := await why_not_told(ports, seen, image)):
            raise
        told = f"whether nodes can pull {image} can't be told: {error.__cause__}; {why}"
        log.warning("%s", told)
        return told
    return ""


async def why_not_told(ports: Ports, seen: Workloads, image: ImageReference) -> str:
    """Why nodes may pull an image that nobody's credentials do; empty where no pod shows it.

    That is one which runs another image of the same repository, while none is denied it.
    """
    named, container = ImageReference.parse(seen.image), ports.target.workload.container
    if named.repository != image.repository or denied_pull(seen, container):
        return ""
    held = await ports.registry.find(named)
    pods = pulled_by(seen, container, held.accepted) if held is not None else []
    return f"{NOT_SHOWN}; pod {pods[0]} runs what its node has pulled" if pods else ""


def credentials_for(seen: Workloads, secret: PullSecret, host: str) -> PullCredentials:
    """A pull secret's credentials for a registry's host, or `PullSecretUnusable`."""
    where = f"pull secret {seen.namespace}/{secret.name} of {seen}"
    if not secret.exists:
        raise PullSecretUnusable(
            f"{where} does not exist: set the registry's user and token in the ESC environment and "
            "run `pulumi up`, which makes the secret"
        )
    if secret.problem:
        raise PullSecretUnusable(
            f"{where} can't be used: {secret.problem}; correct the program and run `pulumi up`"
        )
    for each in secret.credentials:
        if each.host == host:
            return each
    hosts = ", ".join(each.host for each in secret.credentials) or "no host"
    raise PullSecretUnusable(
        f"{where} is for {hosts}, but the image is at {host}: correct the host where the program "
        "has it from, and run `pulumi up`"
    )


async def _probe(
    ports: Ports,
    seen: Workloads,
    image: ImageReference,
    credentials: PullCredentials | None,
    with_what: str,
) -> None:
    try:
        await ports.registry.probe(image, credentials)
    except AccessDenied as error:
        remedy = (
            "renew the token in the ESC environment and run `pulumi up`"
            if credentials is not None
            else "let the program name a pull secret in the pod template, and run `pulumi up`"
        )
        raise PullSecretUnusable(
            f"{with_what} of {seen} can't pull {image}: {error}; {remedy}"
        ) from error
    except ImageMissing as error:
        # Not the secret's fault, and not what is to be released either.
        log.warning("%s asks for %s, which the registry does not have: %s", seen, image, error)
