"""What every command works with: the targets of slipway.toml, their ports, the ledger, a loop."""

import asyncio
import gc
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from blocks.clients import Shared
    from blocks.file import SlipwayFile
    from blocks.ledger import SqlInbox, SqlLedger
    from blocks.settings import TargetSettings
    from slipway.ports import Ledger, Ports

AS_USUAL = gc.get_threshold()
"""How often Python looks for unused cycles; `slipway.cli.main` lets it look less at the start."""
T = TypeVar("T")


class Session:
    """Builds what a command asks for, and nothing else: `history` needs no target and no client."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._built: list[Ports] = []
        self._files: dict[frozenset[str] | None, SlipwayFile] = {}
        self._shared: Shared | None = None

    def anew(self) -> "Session":
        """Another one of the same configuration, for another event loop."""
        return Session(self._config)

    def file(self, secrets_of: frozenset[str] | None = None) -> "SlipwayFile":
        """The slipway.toml, with the secrets of these tables only."""
        from blocks.file import SlipwayFile  # noqa: PLC0415 - `history` reads no file

        if secrets_of not in self._files:
            self._files[secrets_of] = SlipwayFile(self._config, secrets_of=secrets_of)
        return self._files[secrets_of]

    def targets(self) -> list[str]:
        """The names of all targets."""
        return self.file().targets

    def ports(self, target: str) -> "Ports":
        """The ports of one target."""
        from blocks.clients import (  # noqa: PLC0415 - clients take their time to import
            Shared,
            build_ports,
        )

        file = self.file()
        self._shared = self._shared or Shared()

        async def find(name: str) -> "TargetSettings":
            # In a thread: a secret that is a Prefect block can't be loaded on a running loop.
            return await asyncio.to_thread(file.target, name)

        built = build_ports(file.target(target), find, self._shared)
        self._built.append(built)
        return built

    def ledger(self) -> "Ledger":
        """The ledger alone."""
        return self.sql_ledger()

    def sql_ledger(self) -> "SqlLedger":
        """The ledger as the database that it is."""
        from blocks.ledger import open_ledger  # noqa: PLC0415 - SQLAlchemy: 0.25 s

        return open_ledger()

    def inbox(self) -> "SqlInbox":
        """The webhook's inbox."""
        from blocks.ledger import open_inbox  # noqa: PLC0415 - SQLAlchemy: 0.25 s

        return open_inbox()

    def stay(self) -> None:
        """Prepare this process for a long life, or for much work."""
        gc.set_threshold(*AS_USUAL)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and close what its ports have opened."""
        return asyncio.run(self._run(work))

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        finally:
            for ports in self._built:
                await ports.close()
