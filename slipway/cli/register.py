"""`slipway register`: tell the Prefect server what slipway.toml says."""

import click

from blocks.registering import PLACES, save_targets
from slipway.cli.session import Session


@click.command
@click.pass_obj
def register(session: Session) -> None:
    """Save every target, and the places it names, as Prefect blocks. May be done again.

    Secrets are taken from where slipway.toml says they are, and kept in Prefect's encrypted store.
    """
    file = session.file()
    found = [
        (file.target(name), {field: file.place_of(field, name) for field in PLACES})
        for name in file.targets
    ]
    session.run(save_targets(found))
    click.echo(f"registered: {', '.join(file.targets)}")
