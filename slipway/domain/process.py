"""A process as it can be recognised later, so that a dead one is never taken for another."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process of one boot of one machine: a process id alone is given out again."""

    host: str
    """Its machine, and the namespace in which its process ids count."""
    boot: str
    """The kernel's boot id, new at every start of the machine."""
    pid: int
    started: int
    """When it started, in the kernel's clock ticks since boot."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"
