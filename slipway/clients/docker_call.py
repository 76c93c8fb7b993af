"""One call of the Docker engine through its SDK, whose import takes 0.2 s: only builds pay it."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException
from docker.types import CancellableStream

from slipway.clients.docker_stream import EngineRefused, Event
from slipway.errors import SlipwayError, Unreachable

T = TypeVar("T")

SILENCE = 3600
"""Seconds without a byte from the engine; long steps are silent, and `_run` holds the deadline."""


@dataclass(slots=True)
class EngineCall:
    """One call of the engine on a connection of its own, which another thread can end."""

    engine: str
    _ending: threading.Event = field(default_factory=threading.Event)
    _response: requests.Response | None = None
    _api: docker.APIClient | None = None

    @property
    def api(self) -> docker.APIClient:
        """The SDK's low-level client: its `images.build` keeps everything back until the end."""
        if self._api is None:
            raise RuntimeError("the engine's client is there only inside `run`")
        return self._api

    def run(self, work: Callable[["EngineCall"], T]) -> T:
        """Do the work with the SDK's errors translated."""
        try:
            with contextlib.closing(self._connect()) as client:
                self._api = client.api
                client.api.hooks["response"].append(self._keep)
                try:
                    return work(self)
                finally:
                    # A stream that was left at its error would keep its connection open.
                    if self._response is not None:
                        self._response.close()
        except SlipwayError:
            raise
        except APIError as error:
            raise EngineRefused(str(error.explanation or error)) from error
        except (DockerException, requests.RequestException, OSError) as error:
            where = self.engine or "(DOCKER_HOST or the active docker context)"
            raise Unreachable(
                f"the Docker engine {where} does not answer ({type(error).__name__}): check that "
                "it runs, and that this user may use its socket"
            ) from error

    def watched(self, events: Any) -> Iterator[Event]:
        """The engine's events, until they or the call end."""
        for event in events:
            if self._ending.is_set():
                return
            yield event

    def end(self) -> None:
        """Close the connection, from whatever thread; the engine then stops its work too."""
        self._ending.set()
        if self._response is not None:
            # Over ssh, and where it is closed already, the call's own end is waited for.
            with contextlib.suppress(DockerException, OSError, AttributeError):
                CancellableStream(iter(()), self._response).close()

    def _keep(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._response = response
        if self._ending.is_set():
            response.close()

    def _connect(self) -> docker.DockerClient:
        if self.engine.startswith("unix://"):
            # Asked first: the SDK leaves its own socket open when nobody listens.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(self.engine.removeprefix("unix://"))
        if self.engine:
            return docker.DockerClient(base_url=self.engine, version="auto", timeout=SILENCE)
        return docker.DockerClient.from_env(version="auto", timeout=SILENCE)
