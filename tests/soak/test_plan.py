"""The plan of a soak can be begun again, and leaves nothing out."""

from itertools import islice

import pytest

from tests.soak.plan import Blow, Victim, strikes


@pytest.mark.parametrize("victim", Victim)
def test_a_seed_strikes_the_same_again(victim: Victim) -> None:
    first = list(islice(strikes(7, victim), 100))

    assert first == list(islice(strikes(7, victim), 100))
    assert first != list(islice(strikes(8, victim), 100))


@pytest.mark.parametrize("victim", Victim)
def test_each_victim_is_struck_in_every_way_before_any_comes_again(victim: Victim) -> None:
    blows = [each.blow for each in islice(strikes(1, victim), 2 * len(Blow))]

    assert set(blows[: len(Blow)]) == set(blows[len(Blow) :]) == set(Blow)
