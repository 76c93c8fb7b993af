"""`slipway register`: tell the Prefect server what slipway.toml says."""

from collections.abc import Mapping

import click
import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException

from blocks.registering import PLACES, save_targets
from blocks.settings import TargetSettings
from slipway.cli.deployments import WORK_POOL, save_deployments
from slipway.cli.output import print_json
from slipway.cli.session import Session
from slipway.domain.redaction import redacted_error
from slipway.errors import Unreachable

Named = tuple[TargetSettings, Mapping[str, str]]


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.pass_obj
def register(session: Session, *, as_json: bool) -> None:
    """Save every target as Prefect blocks and deployments, and make their work pool.

    May be done again. Secrets are taken from where slipway.toml says they are, and kept in
    Prefect's encrypted store.
    """
    file = session.file()
    file.require_one_mover()
    found: list[Named] = [
        (file.target(name), {field: file.place_of(field, name) for field in PLACES})
        for name in file.targets
    ]
    saved = session.run(_save(found))
    if as_json:
        print_json({"targets": file.targets, "deployments": saved, "work_pool": WORK_POOL})
    else:
        click.echo("\n".join(saved))
    click.echo(
        f"a worker runs them, with this python first on its PATH: prefect worker start --pool "
        f"{WORK_POOL}",
        err=True,
    )


async def _save(found: list[Named]) -> list[str]:
    try:
        await save_targets(found)
        async with get_client() as client:
            return await save_deployments(client, [settings.target() for settings, _ in found])
    except (httpx.HTTPError, PrefectException) as error:
        raise Unreachable(
            f"the Prefect server did not do what was asked: {redacted_error(error)}; check "
            "PREFECT_API_URL and prefect server status"
        ) from error
