"""Which servers are trusted: httpx's own choice, made once for all clients."""

import ssl

from pydantic import SecretStr

from slipway.clients.pulumi_api import PulumiApi
from slipway.clients.registry_session import RegistrySession
from slipway.clients.trust import trusted


async def test_every_client_checks_names_and_certificates_by_the_same_authorities() -> None:
    context = trusted()

    assert context is trusted()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    for client in (
        RegistrySession()._connections(),
        PulumiApi("https://api.pulumi.com", SecretStr("t"))._connections(),
    ):
        assert client._transport._pool._ssl_context is context  # type: ignore[attr-defined] # httpx tells nobody
        await client.aclose()
