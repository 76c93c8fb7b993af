"""The storm: what is sent, and in which order."""

import random
from collections import Counter

from benchmarks.storm import shuffled

COMMITS = [f"{number:040x}" for number in range(301)]


def test_a_storm_sends_every_push_three_times_and_the_newest_last() -> None:
    sent = shuffled(COMMITS, 3, random.Random(0))  # noqa: S311 - repeatable

    assert set(Counter(each.id for each in sent).values()) == {3}
    newest = [place for place, each in enumerate(sent) if COMMITS[-1].encode() in each.body]
    assert min(newest) > 0.8 * len(sent)
    assert sent != sorted(sent, key=lambda each: each.body)
