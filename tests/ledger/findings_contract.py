"""What every ledger promises of an audit's findings."""

from dataclasses import replace

from slipway.domain.finding import Finding, Judged, Remedy, Severity
from slipway.ports import Ledger

HERE = "adapter-prod"
MISSING = Finding(
    "IMG001",
    Severity.CRITICAL,
    HERE,
    "ghcr.io/acme/adapter:1",
    "it is there",
    "it is not — née",
    Remedy("go back", "slipway rollback adapter-prod"),
)
DRIFT = replace(MISSING, rule="IMG006", about="ESC", severity=Severity.ERROR)


def judged(*findings: Finding, unjudged: frozenset[str] = frozenset()) -> Judged:
    return Judged(findings, dict.fromkeys(unjudged, "no route to host"))


class FindingsContract:
    async def test_a_finding_is_new_once_then_persists_until_it_is_gone(
        self, ledger: Ledger
    ) -> None:
        first = await ledger.record_findings(HERE, judged(MISSING))
        again = await ledger.record_findings(HERE, judged(MISSING, DRIFT))
        last = await ledger.record_findings(HERE, judged(DRIFT))

        [new] = first.new
        assert (new.finding, new.gone) == (MISSING, None)
        assert [each.finding for each in again.new] == [DRIFT]
        assert list(again.persisting) == [new]
        [gone] = last.gone
        assert (gone.finding, gone.since) == (MISSING, new.since)
        assert gone.gone is not None
        assert [each.finding for each in await ledger.findings(HERE)] == [DRIFT]

    async def test_a_finding_that_comes_back_is_new_again_and_its_past_stays(
        self, ledger: Ledger
    ) -> None:
        await ledger.record_findings(HERE, judged(MISSING))
        await ledger.record_findings(HERE, judged())
        changes = await ledger.record_findings(HERE, judged(MISSING))

        assert [each.finding for each in changes.new] == [MISSING]
        newest, before = await ledger.findings(HERE, ever=True)
        assert (newest.gone, before.gone is None) == (None, False)
        assert await ledger.findings(HERE, ever=True, limit=1) == [newest]

    async def test_every_finding_that_stands_is_told_unless_a_limit_is_given(
        self, ledger: Ledger
    ) -> None:
        """An audit of every tag may find hundreds, and looks each up again until it is mended."""
        many = [replace(MISSING, about=f"ghcr.io/acme/adapter:{number}") for number in range(120)]
        await ledger.record_findings(HERE, judged(*many))

        assert {each.finding.about for each in await ledger.findings(HERE)} == {
            each.about for each in many
        }

    async def test_what_is_seen_of_a_finding_now_is_what_is_kept(self, ledger: Ledger) -> None:
        now = replace(MISSING, seen="another", severity=Severity.INFO, remedy=Remedy("wait"))
        await ledger.record_findings(HERE, judged(MISSING))

        await ledger.record_findings(HERE, judged(now))

        assert [each.finding for each in await ledger.findings(HERE)] == [now]

    async def test_a_finding_matters_more_once_and_is_kept_so(self, ledger: Ledger) -> None:
        worse = replace(DRIFT, severity=Severity.CRITICAL)
        await ledger.record_findings(HERE, judged(DRIFT))

        first = await ledger.record_findings(HERE, judged(worse))
        again = await ledger.record_findings(HERE, judged(worse))

        assert [each.finding for each in first.raised] == [worse]
        assert again.raised == ()

    async def test_a_finding_whose_rule_could_not_be_judged_stays(self, ledger: Ledger) -> None:
        await ledger.record_findings(HERE, judged(MISSING))

        changes = await ledger.record_findings(HERE, judged(unjudged=frozenset({"IMG001"})))

        assert changes.gone == ()
        assert [each.finding for each in changes.persisting] == [MISSING]
        assert [each.finding for each in await ledger.findings(HERE)] == [MISSING]

    async def test_what_another_audit_found_since_the_look_began_is_not_gone(
        self, ledger: Ledger
    ) -> None:
        await ledger.record_findings(HERE, judged(MISSING))
        meanwhile = await ledger.record_findings(HERE, judged(MISSING, DRIFT))

        began_before = replace(judged(), stood=frozenset({MISSING.fingerprint}))
        changes = await ledger.record_findings(HERE, began_before)

        assert [each.finding for each in changes.gone] == [MISSING]
        assert list(changes.persisting) == list(meanwhile.new)
        assert [each.finding for each in await ledger.findings(HERE)] == [DRIFT]

    async def test_the_ledger_tells_where_findings_stand_that_nobody_looks_at_any_more(
        self, ledger: Ledger
    ) -> None:
        there = replace(MISSING, target="sink-prod")
        mended = replace(MISSING, target="web-prod")
        for each in (mended, there, MISSING):
            await ledger.record_findings(each.target, judged(each, replace(each, rule="IMG006")))
        await ledger.record_findings(mended.target, judged())

        assert await ledger.left_alone(-60) == [HERE, "sink-prod"]
        assert await ledger.left_alone(60) == []

    async def test_findings_are_those_of_their_target(self, ledger: Ledger) -> None:
        await ledger.record_findings(HERE, judged(MISSING))

        await ledger.record_findings("sink-prod", judged())

        assert len(await ledger.findings(HERE)) == 1
        assert await ledger.findings("sink-prod") == []
