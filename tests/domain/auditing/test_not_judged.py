"""What a rule can't judge it does not call quiet: it says why."""

from slipway.domain.agreement import Unknown
from slipway.domain.auditing.rules import judge
from tests.domain.auditing.pictures import picture


def test_a_rule_that_could_not_be_judged_says_why() -> None:
    judged = judge(picture(registry=Unknown("no route to ghcr.io")))

    assert judged.unjudged >= {"IMG001", "IMG004"}
    assert set(judged.reasons.values()) == {"no route to ghcr.io"}


def test_an_id_of_several_rules_has_the_reasons_of_all_once() -> None:
    judged = judge(picture(stack=Unknown("the CLI is gone"), config=Unknown("ESC is down")))

    assert judged.reasons["IMG006"] == "ESC is down; the CLI is gone"
