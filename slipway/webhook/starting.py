"""Starts runs at a target, so that none is forgotten: what Prefect is asked for is told before.

An answer may be lost, or its process die before it is written down. The start then stands in doubt
in the inbox, and is made again under its very key, which Prefect takes for the same run, before
anything newer is judged: what is judged beside a run that nobody knows is judged wrongly.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.domain.delivery import WORKFLOW_RUN, Ending, IntendedStart, PushAt, StartedRun
from slipway.domain.pushed import run_started
from slipway.ports import FlowRuns, Inbox, Ledger

log = logging.getLogger(__name__)

REMEMBERED = 1000
"""Started runs among which one of the same commit is looked for."""


@dataclass(frozen=True, slots=True)
class Starting:
    """Starts one target's."""

    target: str
    inbox: Inbox
    ledger: Ledger
    runs: FlowRuns

    @property
    def _deployment(self) -> str:
        return f"deploy/{self.target}"

    async def start(self, push: PushAt) -> Ending | None:
        """Start the run of a delivery, which ends so; None where another process was faster."""
        return await self._intend(IntendedStart(push, await self._key(push)))

    async def start_again(self, lost: StartedRun) -> None:
        """Start another run in the place of a lost one, unless another process was faster."""
        key = await self._key(lost.push, lost.attempt + 1)
        await self._intend(IntendedStart(lost.push, key, lost))

    async def end_doubts(self) -> bool:
        """Make sure of every start that is in doubt; whether there was one."""
        doubts = await self.inbox.in_doubt(self.target)
        for each in doubts:
            log.warning(
                "delivery %s for %s: whether a run was started is in doubt: it is started again",
                each.push.delivery,
                self.target,
            )
            await self._make(each)
        return bool(doubts)

    async def _intend(self, start: IntendedStart) -> Ending | None:
        # While Prefect is away nothing is asked of it, and nothing comes to be in doubt.
        await self.runs.require(self._deployment)
        return await self._make(start) if await self.inbox.intend(start) else None

    async def _make(self, start: IntendedStart) -> Ending:
        holds = await self.ledger.holds(self.target)
        run = await self.runs.start(self._deployment, self._parameters(start.push), start.key)
        ending = run_started(start.push.push.after, self.target, holds, run)
        if start.lost is None:
            await self.inbox.end_doubt(start.push, ending)
            said = f"{ending.outcome}: {ending.reason}"
        else:
            await self.inbox.started_again(start.lost, run)
            attempt = start.lost.attempt + 1
            said = f"run {start.lost.run} was lost with its worker: run {run} is attempt {attempt}"
        log.info("delivery %s for %s: %s", start.push.delivery, self.target, said)
        return ending

    def _parameters(self, push: PushAt) -> Mapping[str, object]:
        shown = "workflow run of" if push.event == WORKFLOW_RUN else "push to"
        return {
            "commit": push.push.after.sha,
            "target": self.target,
            "requested_by": f"github:{push.sender}" if push.sender else "github",
            "why": f"{shown} {push.push.branch} (delivery {push.delivery})",
            "options": {"automatic": True},
        }

    async def _key(self, push: PushAt, attempt: int = 1) -> str:
        commit = push.push.after
        key = f"slipway:{self.target}:{commit}:{attempt}"
        return f"{key}:{push.delivery}" if await self._is_pushed_again(push) else key

    async def _is_pushed_again(self, push: PushAt) -> bool:
        """Whether another delivery of the commit has had its run: by its key we were given that."""
        return any(
            each.commit == push.push.after and each.push.delivery != push.delivery
            for each in await self.inbox.started(self.target, REMEMBERED)
        )
