"""The stack tag that names the ledger whose releases a stack belongs to.

Pulumi Cloud adds a tag only where there is none of that name, so that of two ledgers that meet at
a new stack one is told of the other. The CLI keeps tags that it does not know.
"""

import json
from urllib.parse import quote

from slipway.clients.pulumi_api import PulumiApi
from slipway.domain.target import StackName
from slipway.errors import StackUnusable

NAME = "slipway:ledger"


async def ledger_of(api: PulumiApi, stack: StackName) -> str:
    """The name that the tag holds; empty when there is none."""
    answer = await api.ask(f"/api/stacks/{stack}")
    if not answer.good:
        raise StackUnusable(
            f"stack {stack} can't be asked ({answer.problem}): correct the target's stack"
        )
    return str((answer.json().get("tags") or {}).get(NAME, ""))


async def claim(api: PulumiApi, stack: StackName, ledger: str, instead_of: str = "") -> str:
    """Name our ledger where none is named, or `instead_of` is; the name that stands afterwards.

    Read before and after: a lost answer is looked up, and somebody else's name is left alone.
    """
    named = await ledger_of(api, stack)
    if named and (named == ledger or named != instead_of):
        return named
    path = f"/api/stacks/{stack}/tags"
    if named:
        await api.send("DELETE", f"{path}/{quote(NAME, safe='')}")
    tag = json.dumps({"name": NAME, "value": ledger})
    answer = await api.send("POST", path, content=tag, headers={"Content-Type": "application/json"})
    standing = await ledger_of(api, stack)
    if not standing:
        raise StackUnusable(
            f"stack {stack} could not be given the tag {NAME} ({answer.problem}): give the "
            "account of `pulumi` the right to edit the stack"
        )
    return standing
