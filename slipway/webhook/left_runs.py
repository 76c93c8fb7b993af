"""Ends runs in Prefect whose process died with them after their release had come to its end.

Recovery ends the run of a release that it finishes. One that had ended is not recovered; and where
Prefect was away, or the worker died with the process, its run would be under way for ever.
"""

import logging
from collections.abc import Iterable

from slipway.domain.release import Release
from slipway.domain.target import Target
from slipway.errors import SlipwayError
from slipway.ports import FlowRuns, Processes, Releases
from slipway.webhook.keeping_on import look_at_each

log = logging.getLogger(__name__)

LOOK_EVERY = 300.0
"""Seconds between looks: meanwhile a worker that is there says itself that a process has ended."""
RECENT = 20
"""Releases of a target whose runs are looked at."""


class LeftRuns:
    """Looks at the newest releases of each target; a run that is over is not asked for again."""

    def __init__(
        self, targets: Iterable[Target], ledger: Releases, runs: FlowRuns, processes: Processes
    ) -> None:
        self._targets = [each.name for each in targets]
        self._ledger = ledger
        self._runs = runs
        self._processes = processes
        self._seen: set[str] = set()
        self._over: dict[str, set[str]] = {}
        """Of each target, the runs among its newest that are over."""

    async def run(self) -> None:
        """Look until cancelled."""
        await look_at_each(self._targets, self.look, LOOK_EVERY)

    async def look(self, target: str) -> None:
        """Look at one target; what can't be asked now is asked the next time."""
        try:
            ended = [each for each in await self._ledger.history(target, RECENT) if each.ended]
            over = self._over.get(target, set()) & {each.request.prefect_run for each in ended}
            for each in ended:
                if each.request.prefect_run not in over and await self._is_over(each):
                    over.add(each.request.prefect_run)
            self._over[target] = over
        except SlipwayError as error:
            log.warning("the runs of %s are not looked at: %s", target, error)

    async def _is_over(self, release: Release) -> bool:
        """Whether the release's run is; it is ended where its process is proven dead, twice."""
        run = release.request.prefect_run
        if not run or (await self._runs.state(run)).is_over:
            self._seen.discard(run)
            return True
        if not self._processes.has_ended(release.worker):
            return False
        if run not in self._seen:
            self._seen.add(run)
            return False
        self._seen.discard(run)
        why = f"its process ended after release {release.id} was {release.state}"
        await self._runs.give_up(run, why)
        log.warning("run %s was left under way: %s", run, why)
        return True
