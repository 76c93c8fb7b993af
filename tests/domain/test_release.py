"""A release goes through its phases forward, and back from one place only."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from slipway.domain.release import Kind, Phase, Release, Request, State
from slipway.errors import InvalidTransition

OPENED = Release(
    "1", "shop-prod", "acme/shop/prod", Request(Kind.DEPLOY, "1", "ada"), datetime.now(UTC)
)
BACK = {(Phase.PINNING, Phase.DECIDED)}
"""ESC has refused the pin: nothing was changed, and the release decides again."""


def at(phase: Phase) -> Release:
    """A release that has come there."""
    release = OPENED
    for each in Phase:
        if phase.reached(each):
            release = release.at(each)
    return release


def test_every_phase_leads_to_the_next_and_may_be_begun_again() -> None:
    for before, after in pairwise(Phase):
        assert at(before).at(after).phase is after
        assert at(after).at(after).phase is after


@pytest.mark.parametrize("before", Phase)
def test_going_back_is_a_defect_but_for_a_pin_that_was_refused(before: Phase) -> None:
    earlier = [phase for phase in Phase if not phase.reached(before)]

    for phase in earlier:
        if (before, phase) in BACK:
            assert at(before).at(phase).phase is phase
        else:
            with pytest.raises(InvalidTransition, match="can't go back"):
                at(before).at(phase)


@pytest.mark.parametrize("state", [state for state in State if state.is_end])
def test_a_release_that_has_ended_begins_nothing_more(state: State) -> None:
    ended = OPENED.to(State.RESTORING).to(state) if state is State.RESTORED else OPENED.to(state)

    with pytest.raises(InvalidTransition, match="has ended"):
        ended.at(Phase.RESOLVED)
