"""Where the ledger is: the one place that reads the environment for it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr

VARIABLE = "SLIPWAY_LEDGER_URL"


class LedgerSettings(BaseModel):
    """The ledger's database; its URL may hold a password."""

    model_config = ConfigDict(frozen=True)

    url: SecretStr

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """What `SLIPWAY_LEDGER_URL` says, else a SQLite file in the user's state folder."""
        url = environment.get(VARIABLE)
        default = f"sqlite:///{state_folder(environment)}/ledger.db"
        return cls(url=SecretStr(url or default))


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where Slipway keeps what it must not lose: the user's state folder."""
    home = environment.get("HOME") or str(Path.home())
    return Path(environment.get("XDG_STATE_HOME") or f"{home}/.local/state") / "slipway"
