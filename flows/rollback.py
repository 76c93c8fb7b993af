"""Roll back: the same way as a deploy, with an image that is published already."""

from flows.recover import finish_others
from flows.rolling_out import refuse, roll_out
from slipway.domain.release import Outcome, Phase, Request
from slipway.errors import SlipwayError
from slipway.ports import Ports
from slipway.tasks.baseline import adopt_what_runs
from slipway.tasks.lease import held_for
from slipway.tasks.preflight import preflight
from slipway.tasks.program import choose_program, open_program
from slipway.tasks.record import Record, open_record
from slipway.tasks.report import report_release
from slipway.tasks.ways_back import choose_image


async def release(ports: Ports, request: Request) -> Outcome:
    """Go back to what `request` asks for: a commit, or `previous`; raises as a deploy does."""
    await adopt_what_runs(ports)
    record = await open_record(ports, request)
    try:
        await _roll_back(ports, record)
    except BaseException as error:
        await refuse(record, error)
        if not isinstance(error, SlipwayError):
            raise
    finally:
        await report_release(record.release, record.durations)
    return record.outcome


async def _roll_back(ports: Ports, record: Record) -> None:
    request = record.release.request
    await preflight(ports, request.options)
    async with held_for(ports, record):
        await finish_others(ports, record.release)
        commit, image = await choose_image(ports, request.wanted)
        await record.note(
            Phase.PUBLISHED,
            commit=commit,
            digest=image.digest,
            image=str(image.named(commit)),
            accepted=image.accepted,
        )
        chosen = await choose_program(ports, commit, image_only=True)
        async with open_program(ports, chosen) as program:
            await roll_out(ports, record, program, image)
