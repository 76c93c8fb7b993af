"""What a target could go back to, for people: a line a commit, and the table of a run."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from slipway.domain.candidate import Candidate, Outlook
from slipway.ports import Ports
from slipway.tasks.candidates import Candidates, list_candidates
from slipway.tasks.policies import in_flow_run
from slipway.tasks.report import best_effort, leave_table

DAY = 86400
WIDEST_SUBJECT = 40


def candidate_row(
    candidate: Candidate, now: datetime, written: Callable[[datetime], str] = datetime.isoformat
) -> Mapping[str, str]:
    """A commit that a target could go back to, in one line; `written` puts a time into words."""
    info = candidate.info
    states = ", ".join(candidate.states)
    if candidate.last_live is not None:
        states = states.replace("was live", f"was live until {written(candidate.last_live)}")
    return {
        "default": "→" if candidate.is_default else "",
        "commit": candidate.commit.short,
        "age": _age(info.committed_at, now) if info else "?",
        "state": states,
        "subject": info.subject[:WIDEST_SUBJECT] if info else "not in git",
        "rollback": _would_be(candidate),
    }


def said_of_all(target: str, found: Candidates) -> list[str]:
    """What is true of all candidates alike, and of those that are not listed, a sentence each."""
    outlook = found.outlook
    said = [f"no default: {found.no_default}"] if found.no_default else []
    if outlook.refusal:
        said.append(f"no rollback can start now: {outlook.refusal}")
    if outlook.waits_for:
        said.append(f"a rollback would wait: {outlook.waits_for}")
    if outlook.previewed is None and not outlook.refusal:
        said.append("not previewed: a rollback may still be refused for what else it would change")
    if outlook.previewed is not None:
        said.append(
            f"previewed once for all, with the image of {outlook.previewed.short}: what else an "
            "update would change hardly depends on the image"
        )
    if found.left_out:
        every = len(found.listed) + found.left_out
        said.append(
            f"{found.left_out} older ones were not looked up: slipway candidates {target} --limit "
            f"{every} lists them too"
        )
    return said


def described(target: str, found: Candidates) -> str:
    """What stands beside the table of a run."""
    return "; ".join([f"what {target} could go back to", *said_of_all(target, found)])


@best_effort
async def report_candidates(ports: Ports, outlook: Outlook | None = None) -> None:
    """Leave what a target could go back to as a table of the run.

    `outlook` is what a drill has just seen of it.
    """
    if not in_flow_run():
        return
    await leave_candidates(ports.target.name, await list_candidates(ports, outlook=outlook))


async def leave_candidates(target: str, found: Candidates) -> None:
    """Leave the list as a table of the run."""
    now = datetime.now(UTC)
    await leave_table(
        f"candidates-{target}",
        [candidate_row(each, now) for each in found.listed],
        described(target, found),
    )


def _would_be(candidate: Candidate) -> str:
    if candidate.refusal:
        return f"refused: {candidate.refusal}"
    if candidate.not_now:
        return "refused now, as any would be"
    return "allowed" if candidate.previewed else "allowed, not previewed"


def _age(committed_at: str, now: datetime) -> str:
    seconds = (now - datetime.fromisoformat(committed_at)).total_seconds()
    return f"{seconds / DAY:.0f} d" if seconds >= DAY else f"{seconds / 3600:.0f} h"
