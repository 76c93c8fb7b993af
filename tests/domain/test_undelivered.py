"""Which deliveries GitHub is asked to send again."""

from slipway.domain.undelivered import MOST_ATTEMPTS, Attempt, undelivered

PUSH = frozenset({"push"})


def attempt(number: int, delivery: str, status: int, event: str = "push") -> Attempt:
    return Attempt(number, delivery, event, f"2026-11-26T16:00:0{number}Z", status)


def test_what_never_arrived_is_sent_again_by_its_newest_attempt_oldest_first() -> None:
    attempts = [attempt(5, "b", 0), attempt(4, "a", 502), attempt(3, "a", 503)]

    assert [each.number for each in undelivered(attempts, PUSH)] == [4, 5]


def test_what_arrived_once_is_not_sent_again_whatever_came_after() -> None:
    attempts = [attempt(3, "a", 503), attempt(2, "a", 202), attempt(1, "a", 502)]

    assert undelivered(attempts, PUSH) == []


def test_events_that_start_nothing_are_left_alone() -> None:
    assert undelivered([attempt(1, "a", 502, event="issues")], PUSH) == []


def test_what_is_refused_again_and_again_is_left_alone() -> None:
    tries = [attempt(number, "a", 400) for number in range(MOST_ATTEMPTS)]

    assert undelivered(tries, PUSH) == []
    assert undelivered(tries[1:], PUSH) == tries[1:2]
