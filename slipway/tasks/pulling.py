"""Pulling the pod template's image as a node would: with each pull secret's own credentials."""

from collections.abc import Sequence

from slipway.domain.auditing.picture import Pull, reference_of
from slipway.domain.image import ImageReference
from slipway.domain.rollout import Workloads
from slipway.errors import AccessDenied, ImageMissing, PullSecretUnusable
from slipway.ports import Ports, PullCredentials, PullSecret
from slipway.tasks.preflight import credentials_for


async def try_pull(
    ports: Ports, seen: Workloads | None, image: ImageReference | None = None
) -> Sequence[Pull]:
    """What comes of it, for each secret that the template names; for nobody where it names none.

    `image` is the template's own unless another one is asked about.
    """
    wanted = image or (reference_of(seen.image) if seen is not None else None)
    if seen is None or wanted is None:
        return ()
    secrets = await ports.cluster.pull_secrets(seen)
    if not secrets:
        return [await _try(ports, "", wanted, None)]
    return [await _with(ports, seen, each, wanted) for each in secrets]


async def _with(ports: Ports, seen: Workloads, secret: PullSecret, image: ImageReference) -> Pull:
    try:
        credentials = credentials_for(seen, secret, image.host)
    except PullSecretUnusable as error:
        return Pull(secret.name, problem=str(error))
    return await _try(ports, secret.name, image, credentials)


async def _try(
    ports: Ports, secret: str, image: ImageReference, credentials: PullCredentials | None
) -> Pull:
    try:
        await ports.registry.probe(image, credentials)
    except AccessDenied as error:
        return Pull(secret, problem=str(error))
    except ImageMissing as error:
        return Pull(secret, missing=str(error))
    return Pull(secret)
