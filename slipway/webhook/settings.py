"""What the webhook's process is told by its environment: the one place that reads it."""

import os
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from slipway.errors import InvalidInput

SHORTEST_SECRET = 16
PREFIX = "SLIPWAY_WEBHOOK_"
SECRETS = f"{PREFIX}SECRETS"
OF_PREFECT = {
    "prefect_url": "PREFECT_API_URL",
    "prefect_key": "PREFECT_API_KEY",
    "prefect_auth_string": "PREFECT_API_AUTH_STRING",
    "prefect_ui": "PREFECT_UI_URL",
}


class PrefectSettings(BaseModel):
    """Where Prefect's API is, and who we are there: by the variables of Prefect's own programs."""

    model_config = ConfigDict(frozen=True)

    prefect_url: str = "http://127.0.0.1:4200/api"
    prefect_key: SecretStr | None = None
    prefect_auth_string: SecretStr | None = None
    prefect_ui: str = ""
    """Where people see Prefect, where that can't be told from its API's address."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """What the variables say; `InvalidInput` names the one that is wrong, not its value."""
        values: dict[str, object] = {
            name: environment[_variable(name)]
            for name in cls.model_fields
            if environment.get(_variable(name)) and name != "secrets"
        }
        if "secrets" in cls.model_fields:
            values["secrets"] = _secrets(environment.get(SECRETS, ""))
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = _variable(str(first["loc"][0]))
            raise InvalidInput(
                f"{name} can't be used, {first['msg'].lower()}: correct it in the environment"
            ) from None


class WebhookSettings(PrefectSettings):
    """Where the receiver listens, whom it believes, and how much it takes.

    `SLIPWAY_WEBHOOK_SECRETS` holds one secret, or several separated by white space.
    """

    secrets: tuple[SecretStr, ...] = Field(min_length=1)
    """Any of them may have signed a delivery: two while GitHub's secret is being changed."""
    host: str = "127.0.0.1"
    port: int = Field(default=8070, ge=0, le=65535)
    trusted_proxies: str = ""
    """Addresses whose X-Forwarded-For says where a request comes from, separated by commas."""
    body_cap: int = Field(default=1024 * 1024, gt=0)
    """Bytes. GitHub sends up to 25 MB; a push that large carries thousands of commits."""
    deadline: float = Field(default=8.0, gt=0)
    """Seconds in which a request must arrive whole. GitHub itself gives up after 10."""
    keep_days: float = Field(default=90.0, gt=0)
    """How long deliveries that have ended are kept."""
    most_connections: int = Field(default=1000, gt=0)
    most_waiting: int = Field(default=1000, gt=0)
    """Deliveries that wait for the disk at once; beyond them senders are told to come back."""


def _variable(name: str) -> str:
    """The environment's name of a setting."""
    return OF_PREFECT.get(name, f"{PREFIX}{name.upper()}")


def _secrets(text: str) -> tuple[SecretStr, ...]:
    secrets = text.split()
    if not secrets:
        raise InvalidInput(
            f"{SECRETS} is not set: give it the secret that GitHub's webhook has, such as "
            "`openssl rand -hex 32` makes"
        )
    if any(len(each) < SHORTEST_SECRET for each in secrets):
        raise InvalidInput(
            f"{SECRETS} holds a secret of fewer than {SHORTEST_SECRET} characters, which can be "
            "guessed: make one with `openssl rand -hex 32`"
        )
    return tuple(SecretStr(each) for each in secrets)
