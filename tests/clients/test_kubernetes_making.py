"""Clients of a cluster are made one at a time: the library's temporary files bear no others."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import config
from kubernetes.client import ApiClient
from pydantic import SecretStr

from sandbox.kubernetes_provider.api import Cluster
from slipway.clients.kubernetes import KubernetesCluster
from slipway.errors import Unreachable

MEETING = 0.2
"""Seconds that one caller waits inside for another: as good as for ever, in a race."""


class Making:
    """Stands in for the library: makes a client of nothing, and knows who was inside at once."""

    def __init__(self) -> None:
        self.inside = self.most = self.made = 0
        self._met = threading.Event()

    def __call__(self, *_: Any, **__: Any) -> ApiClient:
        self.inside += 1
        self.made += 1
        self.most = max(self.most, self.inside)
        if self.inside > 1:
            self._met.set()
        self._met.wait(MEETING)
        self.inside -= 1
        client = ApiClient()
        client.configuration.host = "http://127.0.0.1:9"
        return client


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> Making:
    made = Making()
    monkeypatch.setattr(config, "new_client_from_config", made)
    monkeypatch.setattr(config, "new_client_from_config_dict", made)
    return made


async def test_two_clusters_clients_are_not_made_at_once_and_each_is_made_once(
    making: Making,
) -> None:
    text = SecretStr("{}")
    clusters = [KubernetesCluster(kubeconfig_text=text), KubernetesCluster(kubeconfig_text=text)]

    results = await asyncio.gather(*(each.check() for each in clusters * 2), return_exceptions=True)

    assert [type(each) for each in results] == [Unreachable] * 4
    assert (making.most, making.made) == (1, 2)


async def test_the_providers_client_is_made_once_whoever_asks_first(making: Making) -> None:
    cluster = Cluster()
    ask: Callable[[], object] = cluster._made

    first, second = await asyncio.gather(asyncio.to_thread(ask), asyncio.to_thread(ask))

    assert first is second
    assert (making.most, making.made) == (1, 1)
