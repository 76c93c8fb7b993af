"""A stack that this ledger took over from another one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Takeover:
    """Who let a stack belong to this ledger, and why; `instead_of` is empty if it named none."""

    stack: str
    instead_of: str
    by: str
    reason: str
