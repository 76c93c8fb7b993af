"""The entry point of `slipway`: commands are imported when they are called."""

import gc
import importlib
from pathlib import Path
from typing import Any

import click

from slipway.cli.session import Session
from slipway.errors import InvalidInput, SlipwayError, Unproven

COMMANDS = {
    "audit": ("audit", "Say where what should run does not run, and what to do."),
    "candidates": ("candidates", "List the commits that a target could go back to."),
    "deliveries": ("deliveries", "Show GitHub's deliveries, and what became of each."),
    "deploy": ("releases", "Deploy a commit, and wait until it is proven or undone."),
    "doctor": ("doctor", "Check what a release needs, and say how to mend it."),
    "history": ("history", "Show the releases of a target, newest first."),
    "drill": ("drill", "See whether the default rollback would work, without doing it."),
    "hold": ("restrictions", "Pause automation at a target, with a reason."),
    "ledger": ("ledger", "Verify the ledger, export it, let a stack belong to it."),
    "metrics": ("metrics", "Measure how often, how fast and how well targets are released."),
    "prune": ("prune", "Show, and delete, images that nobody needs any more."),
    "recover": ("recover", "Finish the releases that a dead process left open."),
    "register": ("register", "Save targets as Prefect blocks and deployments."),
    "release-hold": ("restrictions", "Let automation go on at a target."),
    "restart": ("restart", "Replace the pods, and prove that the same image runs."),
    "rollback": ("releases", "Roll back to an image that is published already."),
    "status": ("status", "Show what every place says of a target's image."),
    "veto": ("restrictions", "Forbid automation to deploy a commit to a target."),
    "webhook": ("webhook", "Receive GitHub's pushes, and start their deploys."),
}
"""Command → its module in `slipway.cli`, and what `--help` says without importing it."""
RARELY = 200_000
"""New objects after which unused cycles of them are looked for: importing leaves none to find, and
looking as often as is usual takes a tenth of a command's start."""
USAGE_ERROR = 2
REFUSED = 4
NEEDS_ATTENTION = 5


class Commands(click.Group):
    """Imports a command's module when the command is asked for; tells our errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command there is."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        gc.set_threshold(RARELY)
        module = importlib.import_module(f"slipway.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error of ours is a sentence and an exit code, a defect a traceback."""
        try:
            return super().invoke(ctx)
        except SlipwayError as error:
            click.echo(f"slipway: {error}", err=True)
            ctx.exit(_exit_code(error))


def _exit_code(error: SlipwayError) -> int:
    match error:
        case InvalidInput():
            return USAGE_ERROR
        case Unproven():
            return NEEDS_ATTENTION
        case _:
            return REFUSED


@click.group(cls=Commands)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default="slipway.toml",
    show_default=True,
    envvar="SLIPWAY_CONFIG",
    show_envvar=True,
    help="Where targets and places are described.",
)
@click.version_option(package_name="slipway")
@click.pass_context
def main(ctx: click.Context, config: Path) -> None:
    """Carry a commit into a running, proven container, and back again when it must.

    Exit codes: 0 live (also when nothing had to change), 3 restored, 4 refused,
    5 needs attention; 1 is a crash, 2 a usage error.
    """
    ctx.obj = ctx.obj or Session(config)
