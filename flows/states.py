"""How an end of a release looks in Prefect."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from prefect.client.schemas.objects import State as PrefectState
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from slipway.domain.release import Outcome, State, reason
from slipway.errors import SlipwayError

P = ParamSpec("P")
Shell = Callable[P, Coroutine[Any, Any, PrefectState[Any]]]

NAMES = {
    State.LIVE: "Live",
    State.RESTORED: "Restored",
    State.REFUSED: "Refused",
    State.NEEDS_ATTENTION: "NeedsAttention",
}
HARMLESS = {"unchanged": "Unchanged", "superseded": "Superseded", "held": "Held"}
"""Reason codes that are no failure, and the names of their states."""


def as_prefect_state(outcome: Outcome) -> PrefectState[Any]:
    """The Prefect state of an end; its message is the reason."""
    release, name = outcome.release, HARMLESS.get(outcome.code)
    if name and release.state in {State.LIVE, State.REFUSED}:
        # Automation has nothing else to do there; a person did not get what was asked for.
        ended = Failed if outcome.code == "held" and not release.request.automatic else Completed
        return ended(name=name, message=release.reason)
    if release.state is State.LIVE:
        return Completed(name=NAMES[release.state], message=release.reason)
    # Open, it has no reason yet: the ledger has not taken its end.
    why = release.reason or (
        f"unproven: the ledger did not take how {release.id} ended: slipway status "
        f"{release.target} tells what runs; slipway recover {release.target} once it answers"
    )
    return Failed(name=NAMES.get(release.state, "NeedsAttention"), message=why)


def worst(outcomes: list[Outcome]) -> PrefectState[Any]:
    """The Prefect state of several ends: the one that most needs a person."""
    if not outcomes:
        return Completed(name="Nothing", message="nothing stood open")
    order = [State.RELEASING, State.RESTORING, State.NEEDS_ATTENTION]  # the ledger took no end
    order += [State.RESTORED, State.REFUSED, State.LIVE]
    return as_prefect_state(min(outcomes, key=lambda each: order.index(each.state)))


def refusing(shell: Shell[P]) -> Shell[P]:
    """What is wrong before there is a release (a target nobody registered) is a refusal too."""

    @functools.wraps(shell)
    async def told(*args: P.args, **kwargs: P.kwargs) -> PrefectState[Any]:
        try:
            return await shell(*args, **kwargs)
        except SlipwayError as error:
            return Failed(name=NAMES[State.REFUSED], message=reason(error))

    return told


def was_retried() -> PrefectState[Any] | None:
    """A refusal when this run has run before: what it began is ended elsewhere."""
    if (flow_run.run_count or 0) <= 1:
        return None
    return Failed(
        name="Refused",
        message="retried: a release is never run again under the same run; start a new run "
        "(slipway recover finishes whatever the earlier attempt left)",
    )
