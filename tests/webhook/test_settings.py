"""The webhook is told everything by its environment, and says what is wrong with it."""

import pytest

from slipway.errors import InvalidInput
from slipway.webhook.settings import WebhookSettings

SECRET = "0123456789abcdef"


def read(**environment: str) -> WebhookSettings:
    return WebhookSettings.from_environment({"SLIPWAY_WEBHOOK_SECRETS": SECRET, **environment})


def test_one_secret_is_all_that_must_be_said() -> None:
    settings = read()

    assert [each.get_secret_value() for each in settings.secrets] == [SECRET]
    assert (settings.host, settings.body_cap) == ("127.0.0.1", 1024 * 1024)


def test_two_secrets_are_good_while_githubs_is_being_changed() -> None:
    both = read(SLIPWAY_WEBHOOK_SECRETS=f"{SECRET}\n  {SECRET[::-1]} ")

    assert [each.get_secret_value() for each in both.secrets] == [SECRET, SECRET[::-1]]


def test_every_setting_has_its_variable() -> None:
    settings = read(
        SLIPWAY_WEBHOOK_HOST="::",
        SLIPWAY_WEBHOOK_PORT="9000",
        SLIPWAY_WEBHOOK_BODY_CAP="1000",
        SLIPWAY_WEBHOOK_DEADLINE="2.5",
        SLIPWAY_WEBHOOK_TRUSTED_PROXIES="10.0.0.1,10.0.0.2",
    )

    of_prefect = read(PREFECT_API_URL="https://p/api", PREFECT_API_AUTH_STRING="ada:hunter2")

    assert (settings.host, settings.port, settings.body_cap) == ("::", 9000, 1000)
    assert of_prefect.prefect_url == "https://p/api"
    assert of_prefect.prefect_auth_string is not None
    assert "hunter2" not in repr(of_prefect)
    assert (settings.deadline, settings.trusted_proxies) == (2.5, "10.0.0.1,10.0.0.2")


@pytest.mark.parametrize("secrets", ["", "  ", "short", f"{SECRET} short"])
def test_no_secret_or_one_that_can_be_guessed_is_refused_without_being_shown(secrets: str) -> None:
    with pytest.raises(InvalidInput, match="SLIPWAY_WEBHOOK_SECRETS") as refused:
        read(SLIPWAY_WEBHOOK_SECRETS=secrets)

    assert SECRET not in str(refused.value)
    assert "openssl rand" in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SLIPWAY_WEBHOOK_PORT", "http"),
        ("SLIPWAY_WEBHOOK_PORT", "70000"),
        ("SLIPWAY_WEBHOOK_BODY_CAP", "0"),
        ("SLIPWAY_WEBHOOK_DEADLINE", "-1"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=variable):
        read(**{variable: value})


def test_secrets_are_not_shown() -> None:
    assert SECRET not in repr(read())
