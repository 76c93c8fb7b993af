"""Pulling the pod template's image as a node would: with each pull secret's own credentials."""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway.domain.auditing.picture import Pull, reference_of
from slipway.domain.image import ImageReference
from slipway.domain.workloads import Workloads
from slipway.errors import AccessDenied, ImageMissing, PullSecretUnusable
from slipway.ports import Ports, PullCredentials, PullSecret
from slipway.tasks.asking import Together
from slipway.tasks.pull_secrets import credentials_for


async def try_pull(
    ports: Ports,
    together: Together,
    seen: Workloads | None,
    image: ImageReference | None = None,
    *,
    parts: bool = True,
) -> Sequence[Pull]:
    """What comes of it, for each secret that the template names; for nobody where it names none.

    `image` is the template's own unless another one is asked about. Without `parts`, whether those
    of an index are there is left to whom looks the image up.
    """
    wanted = image or (reference_of(seen.image) if seen is not None else None)
    if seen is None or wanted is None:
        return ()
    pulling = _Pulling(ports, together, seen, wanted, parts)
    secrets = await pulling.secrets()
    if not secrets:
        return [await pulling.attempt("", None)]
    return [await pulling.with_secret(each) for each in secrets]


@dataclass(frozen=True, slots=True)
class _Pulling:
    """One image that is pulled; targets that share it and a secret pull it once."""

    ports: Ports
    together: Together
    seen: Workloads
    image: ImageReference
    parts: bool

    async def secrets(self) -> Sequence[PullSecret]:
        """Those of the pod template, each with its content."""
        seen, cluster = self.seen, self.ports.cluster
        whose = f"{seen.namespace} {seen.pull_secrets or seen.service_account}"
        return await self.together.once(
            f"pull secrets of {whose}", cluster, lambda: cluster.pull_secrets(seen)
        )

    async def with_secret(self, secret: PullSecret) -> Pull:
        """With the secret's credentials for the image's registry, if it has any."""
        try:
            credentials = credentials_for(self.seen, secret, self.image.host)
        except PullSecretUnusable as error:
            unreadable = secret.exists and bool(secret.problem)
            return Pull(secret.name, problem=str(error), unreadable=unreadable)
        return await self.attempt(secret.name, credentials)

    async def attempt(self, secret: str, credentials: PullCredentials | None) -> Pull:
        """With these credentials, or nobody's."""
        registry = self.ports.registry
        try:
            await self.together.once(
                f"pull {self.image}",
                (registry, credentials),
                lambda: registry.probe(self.image, credentials, parts=self.parts),
            )
        except AccessDenied as error:
            return Pull(secret, problem=str(error), rejected=True)
        except ImageMissing as error:
            return Pull(secret, missing=str(error))
        return Pull(secret)
