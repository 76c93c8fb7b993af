"""The Docker engine: builds images from checkouts and pushes them, and believes only what it sees.

The SDK blocks, so each call runs in a thread of its own; ending one early closes its connection,
upon which the engine gives up the build or the push (docs.docker.com, Engine API, ImageBuild).
"""

import asyncio
import contextvars
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from slipway.clients.build_context import write_context
from slipway.clients.docker_stream import EngineRefused, push_error, read_build, read_push
from slipway.domain.image import Digest, ImageReference
from slipway.domain.publication import REVISION_LABEL
from slipway.domain.redaction import redacted
from slipway.domain.target import Service
from slipway.errors import BuildFailed, PushFailed, SlipwayError, Unreachable
from slipway.ports import ImageRegistry, PullCredentials

if TYPE_CHECKING:
    from slipway.clients.docker_call import EngineCall

log = logging.getLogger(__name__)

T = TypeVar("T")

SOURCE_COMMIT = "SOURCE_COMMIT"
"""The build argument's name with those who have one: Docker Hub's builds, OpenShift's."""


@dataclass(frozen=True, slots=True)
class DockerBuilder:
    """The `ImageBuilder` port on a Docker engine.

    `engine` is its address; empty means `DOCKER_HOST`, or the active docker context. Without
    credentials the engine's user's own (`~/.docker`) are used. `registry` confirms every push.
    """

    registry: ImageRegistry
    credentials: PullCredentials | None = None
    engine: str = ""
    build_within: float = 1800.0
    """Seconds that one build may take; a silent step is no reason to give up earlier."""
    push_within: float = 600.0
    check_within: float = 10.0

    async def check(self) -> None:
        """See `slipway.ports.ImageBuilder`."""
        late = Unreachable(
            f"the Docker engine {self.engine or '(DOCKER_HOST or the active docker context)'} does "
            f"not answer within {self.check_within:.0f} s: check that it runs"
        )
        try:
            await self._run(lambda call: call.api.ping(), self.check_within, late)
        except EngineRefused as error:
            raise Unreachable(
                f"the Docker engine does not serve us: {error}; check its log"
            ) from error

    async def build(self, tree: Path, service: Service, labels: Mapping[str, str]) -> str:
        """Build the service's image from a checkout; the local image id, or `BuildFailed`."""
        what = f"image of {service.name}"

        def build(call: "EngineCall") -> str:
            with tempfile.TemporaryFile() as context:
                dockerfile = write_context(tree, service, context)
                context.seek(0)
                events = call.api.build(
                    fileobj=context,
                    custom_context=True,
                    dockerfile=dockerfile,
                    labels=dict(labels),
                    buildargs={**_told(labels), **dict(service.build_arguments)},
                    platform=service.platform,
                    rm=True,
                    forcerm=True,
                    decode=True,
                )
                return read_build(call.watched(events), what, log)

        late = BuildFailed(
            f"{what} was not built within {self.build_within:.0f} s: make the build faster, or "
            "allow it more time"
        )
        try:
            return await self._run(build, self.build_within, late)
        except EngineRefused as error:
            raise BuildFailed(
                f"{what} could not be built: {redacted(str(error))}; mend the Dockerfile, "
                "and deploy the new commit"
            ) from error

    async def push(self, image_id: str, reference: ImageReference) -> Digest:
        """Push a local image under a tag; the digest that the registry confirms."""

        def push(call: "EngineCall") -> Digest:
            call.api.tag(image_id, reference.repository, reference.tag)
            events = call.api.push(
                reference.repository,
                reference.tag,
                stream=True,
                decode=True,
                auth_config=self._auth(reference),
            )
            return read_push(call.watched(events), reference)

        late = Unreachable(
            f"push of {reference} was not done within {self.push_within:.0f} s: check the registry "
            "and the way to it, and try again"
        )
        try:
            pushed = await self._run(push, self.push_within, late)
        except EngineRefused as error:
            raise push_error(reference, str(error)) from error
        await self._confirm(reference, pushed)
        return pushed

    async def _confirm(self, reference: ImageReference, pushed: Digest) -> None:
        held = await self.registry.find(ImageReference(reference.repository, reference.tag))
        if held is None or held.digest != pushed:
            raise PushFailed(
                f"{reference} was pushed as {pushed}, but the registry holds "
                f"{held.digest if held else 'nothing'} there: look for another publisher of this "
                "tag, then start a new run"
            )

    def _auth(self, reference: ImageReference) -> dict[str, str] | None:
        ours = self.credentials
        if ours is None:
            return None
        if ours.host != reference.host:
            raise PushFailed(
                f"the registry account is for {ours.host}, but {reference} is at {reference.host}: "
                "correct the account's host or the service's repository"
            )
        return {"username": ours.username, "password": ours.password.get_secret_value()}

    async def _run(self, work: Callable[["EngineCall"], T], within: float, late: SlipwayError) -> T:
        """Run blocking work in a thread; it has ended when this returns or raises."""
        from slipway.clients.docker_call import EngineCall  # noqa: PLC0415 - the SDK: 0.2 s

        call = EngineCall(self.engine)
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        future = loop.run_in_executor(None, context.run, call.run, work)
        try:
            async with asyncio.timeout(within):
                return await asyncio.shield(future)
        except TimeoutError as error:
            raise late from error
        finally:
            if not future.done():
                call.end()
                await _ended(future)


def _told(labels: Mapping[str, str]) -> dict[str, str]:
    """What a Dockerfile may take to let its image tell the commit, as its label does.

    No build input for the same reason as the label: an image that several commits have in common
    tells the one it was built from.
    """
    return {SOURCE_COMMIT: labels[REVISION_LABEL]} if REVISION_LABEL in labels else {}


async def _ended(future: "asyncio.Future[Any]") -> None:
    """Wait for the thread's end, its outcome is no matter; a cancellation waits until then."""
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            cancelled = True
    if not future.cancelled():
        future.exception()
    if cancelled:
        raise asyncio.CancelledError
