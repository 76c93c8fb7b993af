"""No value of a credential survives in evidence, in any of the forms that programs print."""

import httpx
import pytest

from slipway.domain.redaction import redacted, redacted_error


@pytest.mark.parametrize(
    "text",
    [
        "TOKEN=CANARY",
        "MY_APP_TOKEN=CANARY",
        "AWS_SECRET_ACCESS_KEY=CANARY",
        "accessToken: CANARY",
        "api-key: CANARY",
        "Authorization: Bearer CANARY",
        "Authorization: token CANARY",
        "authorization=Basic CANARY",
        '{"password": "CANARY"}',
        'password="two CANARY words"',
        "db.password='two CANARY'",
        "run --token CANARY now",
        "run --token=CANARY now",
        "postgres://user:CANARY@db/shop",
        "https://:CANARY@ghcr.io/v2/",
        "https://CANARY@github.com/acme/shop.git",
    ],
)
def test_the_value_is_gone_and_the_name_stays(text: str) -> None:
    shown = redacted(text)

    assert "CANARY" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text",
    [
        "models.json: no such file or directory",
        "dial tcp 10.0.0.1:443: connect: connection refused",
        "ghcr.io/acme/shop:1@sha256:abc",
        "https://example.org/path",
        "https://example.org/@scope/package",
        "ssh://git@github.com/acme/shop.git",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redacted(text) == text


def test_an_error_that_names_a_whole_address_is_told_without_its_password() -> None:
    request = httpx.Request("GET", "https://ada:CANARY@prefect.example/api/hello")
    with pytest.raises(httpx.HTTPStatusError) as denied:
        httpx.Response(401, request=request).raise_for_status()

    shown = redacted_error(denied.value)

    assert "CANARY" in str(denied.value)
    assert "CANARY" not in shown
    assert shown.startswith("HTTPStatusError Client error '401 Unauthorized' for url")
