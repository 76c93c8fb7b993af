"""The operating system: the processes that work on releases."""

from typing import Protocol

from slipway.domain.process import ProcessIdentity


class Processes(Protocol):
    """The processes that work on releases, as far as they can be seen from here."""

    def own(self) -> ProcessIdentity | None:
        """This very process; None where that can't be told."""

    def has_ended(self, process: ProcessIdentity | None) -> bool:
        """Whether it is proven to have ended; not where it can't be seen, as on another machine.

        Of None, which is one that nobody could tell, nothing is proven.
        """
