"""`slipway recover --watch`: have whatever dead processes leave open recovered, until SIGTERM."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from slipway.domain.target import Target
from slipway.errors import SlipwayError
from slipway.ports import RunState
from slipway.webhook.app import watch, watch_here
from slipway.webhook.settings import PrefectSettings

log = logging.getLogger(__name__)


def watch_by_prefect(targets: Sequence[Target]) -> None:
    """Start a run of the deployment `recover/…` for what is left; a worker does the work."""
    asyncio.run(_until_asked_to_end(watch(PrefectSettings.from_environment(), targets)))


def watch_without_prefect(targets: Sequence[Target], recover: Callable[[str], object]) -> None:
    """Recover here, by `recover` with a target's name; what is under way is finished at the end."""
    asyncio.run(_watch_here(targets, recover))


async def _watch_here(targets: Sequence[Target], recover: Callable[[str], object]) -> None:
    runs = RecoveriesHere(recover)
    await _until_asked_to_end(watch_here(runs, targets))
    await runs.finish()


class RecoveriesHere:
    """The `FlowRuns` port without Prefect: each run is a recovery in a thread of this process.

    In a thread because a recovery that restores ignores signals, as far as they are its own
    process's: the main thread still hears that this one is to end.
    """

    def __init__(self, recover: Callable[[str], object]) -> None:
        self._recover = recover
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def require(self, deployment: str) -> None:
        """See `slipway.ports.FlowRuns`: nothing else is asked for."""

    async def start(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        """See `slipway.ports.FlowRuns`."""
        if (await self.state(deployment)).is_over:
            target = str(parameters["target"])
            self._under_way[deployment] = asyncio.create_task(self._run(target), name=key)
        return deployment

    def link(self, run: str) -> str:
        """See `slipway.ports.FlowRuns`: nobody shows it."""
        del run
        return ""

    async def state(self, run: str) -> RunState:
        """See `slipway.ports.FlowRuns`: each is begun at once."""
        is_over = run not in self._under_way or self._under_way[run].done()
        return RunState.ENDED if is_over else RunState.TAKEN

    async def withdraw(self, run: str, why: str) -> bool:
        """See `slipway.ports.FlowRuns`: none waits."""
        del run, why
        return False

    async def give_up(self, run: str, why: str) -> None:
        """See `slipway.ports.FlowRuns`: a thread is not lost as long as its process is there."""

    async def finish(self) -> None:
        """Wait for the recoveries under way."""
        await asyncio.gather(*self._under_way.values())

    async def _run(self, target: str) -> None:
        try:
            await asyncio.to_thread(self._recover, target)
        except SlipwayError as error:
            log.warning("the stack of %s is not recovered: %s", target, error)
        except Exception:
            log.exception("the stack of %s is not recovered: a defect", target)


async def _until_asked_to_end(watching: Coroutine[Any, Any, None]) -> None:
    """Watch until the first SIGTERM or SIGINT."""
    task = asyncio.ensure_future(watching)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
