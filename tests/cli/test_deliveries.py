"""`slipway deliveries`: what was delivered, and what became of it, for people and for scripts."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from slipway.cli.main import main
from slipway.domain.commit import Commit
from slipway.domain.delivery import Delivery, Ending, Outcome, Push, PushAt
from slipway.ledger.inbox import SqlInbox
from slipway.ledger.settings import LedgerSettings

BEFORE, AFTER = Commit("1" * 40), Commit("2" * 40)
GAP = re.compile(r"\s{2,}")
ENDINGS = {
    "at-started": Ending(Outcome.STARTED, f"started: deploy of {AFTER}", "run-1"),
    "at-superseded": Ending(Outcome.SUPERSEDED, f"superseded: by {AFTER} of delivery 8", "run-0"),
    "at-unchanged": Ending(Outcome.UNCHANGED, "unchanged: adapter/bad\n name"),
    "at-held": Ending(Outcome.HELD, "held: on holiday", "run-2"),
    "at-refused": Ending(Outcome.REFUSED, "folder-absent: the service's folder does not exist"),
    "at-ignored": Ending(Outcome.IGNORED, "not-the-trigger: its end is what deploys"),
}
WAITS, SILENT = "at-waiting", "at-waiting-since-just-now"
PING = Delivery("99999999-ping", "1", "ping", "", "", ignored="ping: the receiver works")
PUSHED = Delivery(
    "12345678-push",
    "2",
    "push",
    "acme/shop",
    "ada",
    Push("main", BEFORE, AFTER),
    (*ENDINGS, WAITS, SILENT),
)
MISSED = Delivery(
    "missed-2222", "3", "missed", "acme/shop", "", Push("main", None, AFTER), ("at-started",)
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"SLIPWAY_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}"}


def fill(environment: Mapping[str, str], *deliveries: Delivery) -> None:
    """Keep the deliveries one after the other, and end what has an ending."""

    async def keep() -> None:
        inbox = SqlInbox(LedgerSettings.from_environment(environment))
        for each in deliveries:
            await inbox.receive([each])
        await end(inbox, await inbox.waiting())
        await inbox.close()

    asyncio.run(keep())


async def end(inbox: SqlInbox, waiting: Sequence[PushAt]) -> None:
    for each in waiting:
        if each.target in ENDINGS:
            await inbox.settle([each], ENDINGS[each.target])
        elif each.target == WAITS:
            await inbox.put_off([each], "run 7 is under way; the newest is next")


def shown(environment: Mapping[str, str], *words: str) -> str:
    result = CliRunner(env=environment).invoke(main, ["deliveries", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def rows_of(table: str) -> Iterator[list[str]]:
    """What stands in each line behind the moment; empty columns can't be told from gaps."""
    for line in table.splitlines():
        yield GAP.split(line)[1:]


def test_the_table_shows_every_outcome_a_line_for_each_target(environment: dict[str, str]) -> None:
    fill(environment, PUSHED)

    head, *rows = rows_of(shown(environment))

    first = ["12345678", "push", "ada", AFTER.short]
    assert {each.outcome for each in ENDINGS.values()} == set(Outcome)
    assert head == ["delivery", "event", "by", "commit", "target", "outcome", "reason"]
    assert sorted(rows) == sorted(
        [
            [*first, "at-started", "started", f"started: deploy of {AFTER}"],
            [*first, "at-superseded", "superseded", f"superseded: by {AFTER} of delivery 8"],
            [*first, "at-unchanged", "no effective change", "unchanged: adapter/bad\\n name"],
            [*first, "at-held", "held", "held: on holiday"],
            [
                *first,
                "at-refused",
                "refused",
                "folder-absent: the service's folder does not exist",
            ],
            [*first, "at-ignored", "ignored", "not-the-trigger: its end is what deploys"],
            [*first, WAITS, "waiting", "run 7 is under way; the newest is next"],
            [*first, SILENT, "waiting"],
        ]
    )


def test_the_newest_is_first_and_what_deploys_nothing_has_its_line(
    environment: dict[str, str],
) -> None:
    fill(environment, PING, MISSED)

    _, *rows = rows_of(shown(environment))

    assert rows == [
        ["missed-2", "missed", AFTER.short, "at-started", "started", f"started: deploy of {AFTER}"],
        ["99999999", "ping", "ignored", "ping: the receiver works"],
    ]
    assert [*rows_of(shown(environment, "--limit", "1"))][1:] == rows[:1]


def test_for_scripts_every_key_is_as_described(environment: dict[str, str]) -> None:
    fill(environment, PING, MISSED, PUSHED)

    pushed, missed, ping = json.loads(shown(environment, "--json"))

    assert (pushed["branch"], pushed["before"], pushed["after"]) == (
        "main",
        str(BEFORE),
        str(AFTER),
    )
    assert (missed["sender"], missed["before"], missed["after"]) == (None, None, str(AFTER))
    assert (ping["repository"], ping["branch"], ping["after"]) == (None, None, None)
    assert (ping["ignored"], ping["targets"]) == ("ping: the receiver works", [])
    found = {each["target"]: (each["outcome"], each["prefect_run"]) for each in pushed["targets"]}
    assert found == {
        "at-started": ("started", "run-1"),
        "at-superseded": ("superseded", "run-0"),
        "at-unchanged": ("no effective change", None),
        "at-held": ("held", "run-2"),
        "at-refused": ("refused", None),
        "at-ignored": ("ignored", None),
        WAITS: (None, None),
        SILENT: (None, None),
    }


def test_an_empty_inbox_is_said_to_be(environment: dict[str, str]) -> None:
    assert shown(environment) == ""
    assert json.loads(shown(environment, "--json")) == []
