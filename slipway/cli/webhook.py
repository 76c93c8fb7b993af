"""`slipway webhook`: the process that receives GitHub's deliveries and starts their deploys."""

import asyncio
import logging
import signal
from collections.abc import Iterator

import click
import uvloop

from blocks.file import SlipwayFile
from slipway.cli.output import log_to_stderr
from slipway.cli.session import Session
from slipway.errors import InvalidInput
from slipway.webhook.app import PushedTarget, serve
from slipway.webhook.settings import WebhookSettings

log = logging.getLogger(__name__)


@click.command
@click.pass_obj
def webhook(session: Session) -> None:
    """Receive GitHub's deliveries at POST /github until SIGTERM or SIGINT.

    Told by the environment: SLIPWAY_WEBHOOK_SECRETS (required), SLIPWAY_WEBHOOK_HOST and _PORT,
    PREFECT_API_URL, SLIPWAY_LEDGER_URL. Of slipway.toml's secrets it reads only those of
    repositories.
    """
    log_to_stderr()
    settings = WebhookSettings.from_environment()
    file = session.file(secrets_of=frozenset({"repositories"}))
    pushed = list(_pushed(file))
    if not pushed:
        raise InvalidInput(
            'no target\'s repository is at GitHub: give it github = "OWNER/NAME" in slipway.toml'
        )
    session.stay()
    # uvicorn gives a signal back when it has ended for it: what is open is then closed in order.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, pushed, [file.target(name).target() for name in file.targets]))


def _pushed(file: SlipwayFile) -> Iterator[PushedTarget]:
    for name in file.targets:
        settings = file.target(name)
        repository = settings.repository
        if not (github := repository.github_name):
            log.warning("%s is not deployed by pushes: its repository names no github", name)
            continue
        yield PushedTarget(
            settings.target(),
            github,
            repository.url,
            repository.username,
            repository.token,
            repository.github_token,
            repository.github_api,
            repository.github_hook,
        )
