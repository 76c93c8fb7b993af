"""The plan of a soak can be begun again, and leaves nothing out."""

from itertools import islice, product

from tests.soak.plan import Blow, Victim, strikes


def test_a_seed_strikes_the_same_again() -> None:
    assert list(islice(strikes(7), 100)) == list(islice(strikes(7), 100))
    assert list(islice(strikes(7), 100)) != list(islice(strikes(8), 100))


def test_each_row_strikes_everything_in_every_way() -> None:
    every = set(product(Victim, Blow))

    row = list(islice(strikes(1), 2 * len(every)))

    assert {(each.victim, each.blow) for each in row} == every
