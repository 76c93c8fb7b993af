"""What a running stand-in holds, and how a request finds its stack."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request

from sandbox.pulumi_cloud.accounts import Account, Accounts
from sandbox.pulumi_cloud.crypto import Vault
from sandbox.pulumi_cloud.esc.environments import Environments
from sandbox.pulumi_cloud.esc.service import Esc
from sandbox.pulumi_cloud.esc.sessions import Sessions
from sandbox.pulumi_cloud.faults import Faults
from sandbox.pulumi_cloud.requests import path_name
from sandbox.pulumi_cloud.stacks import Stack, Stacks
from sandbox.pulumi_cloud.updates import Clock, Updates


@dataclass(frozen=True)
class Cloud:
    """Everything behind the routes; all of it lives in the state folder."""

    accounts: Accounts
    vault: Vault
    stacks: Stacks
    updates: Updates
    faults: Faults
    esc: Esc

    @classmethod
    def in_folder(cls, state: Path, credentials: Path, clock: Clock = time.time) -> "Cloud":
        """The stand-in whose state is in a folder."""
        vault = Vault.in_folder(state)
        return cls(
            accounts=Accounts(credentials),
            vault=vault,
            stacks=Stacks(state / "stacks"),
            updates=Updates(clock),
            faults=Faults(),
            esc=Esc(Environments(state / "environments", clock), Sessions(clock), vault),
        )

    def caller(self, request: Request) -> Account:
        """The account that may do this in the organization of the path."""
        return self.accounts.authorize(request, request.path_params["org"])

    def stack(self, request: Request) -> Stack:
        """The stack of the path, for a caller who may do this."""
        self.caller(request)
        return self.stack_of_path(request)

    def stack_of_path(self, request: Request) -> Stack:
        """The stack of the path; the caller has shown something else than an account."""
        return self.stacks.get(*(path_name(request, key) for key in ("org", "project", "stack")))

    def held_update(self, request: Request) -> tuple[Stack, dict[str, Any]]:
        """The stack and the running update whose lease token the caller shows."""
        stack = self.stack_of_path(request)
        authorization = request.headers.get("authorization", "")
        return stack, self.updates.holder(stack, path_name(request, "update"), authorization)


def cloud_of(request: Request) -> Cloud:
    """The stand-in that serves a request."""
    cloud: Cloud = request.app.state.cloud
    return cloud
