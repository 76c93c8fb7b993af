"""`slipway deploy` and `slipway rollback`."""

import getpass
from collections.abc import Callable
from typing import Any

import click

from slipway.cli.ends import tell_end, tell_refusal, tell_run_end
from slipway.cli.session import Session
from slipway.domain.commit import parse_commit
from slipway.domain.release import PREVIOUS, Kind, Options, Release, Request, reason
from slipway.domain.target import Allowance
from slipway.errors import InvalidInput

Command = Callable[..., Any]


class AllowanceType(click.ParamType[Allowance]):
    """`URN:path@mark`, as a refusal prints it."""

    name = "URN:PATH@MARK"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Allowance:
        """Read the text, or say what is wrong with it."""
        try:
            return value if isinstance(value, Allowance) else Allowance.parse(str(value))
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


def _common(command: Command) -> Command:
    """The options that every way to start a release has."""
    for decorate in (
        click.option("--local", is_flag=True, help="Run here, without a Prefect server."),
        click.option("--json", "as_json", is_flag=True, help="Print the release as an object."),
        click.option(
            "--allow-change",
            "allow_changes",
            type=AllowanceType(),
            multiple=True,
            help="A change beside the image, as a refusal printed it; may be given again.",
        ),
        click.option("--no-way-back", is_flag=True, help="Go on although nothing could restore."),
    ):
        command = decorate(command)
    return command


@click.command
@click.argument("target")
@click.argument("commit")
@click.option("--reason", default="", help="Why, for the history; a held target needs it.")
@click.option("--first", is_flag=True, help="Make the ESC key or the Deployment if it is absent.")
@click.option("--adopt-image", is_flag=True, help="Deploy an image that Slipway did not build.")
@click.option("--even-if-vetoed", metavar="REASON", default="", help="Why a veto does not count.")
@click.option(
    "--automatic", is_flag=True, help="No person asks: holds, vetoes and newer commits come first."
)
@_common
@click.pass_context
def deploy(
    ctx: click.Context,
    /,
    target: str,
    commit: str,
    *,
    reason: str,
    automatic: bool,
    local: bool,
    as_json: bool,
    **allowed: Any,
) -> None:
    """Deploy COMMIT (7 to 40 characters) to TARGET, and wait until it is proven or undone."""
    request = Request(
        Kind.DEPLOY,
        commit,
        getpass.getuser(),
        why=reason,
        options=Options(**allowed),
        automatic=automatic,
    )
    _release(ctx, target, request, local=local, as_json=as_json)


@click.command
@click.argument("target")
@click.option(
    "--to", default=PREVIOUS, show_default=True, help="A commit, or the last proven before."
)
@click.option("--reason", required=True, help="Why, for those who read the history.")
@click.option("--only-image", is_flag=True, help="Update this Deployment only, nothing beside it.")
@_common
@click.pass_context
def rollback(
    ctx: click.Context,
    /,
    target: str,
    *,
    to: str,
    reason: str,
    local: bool,
    as_json: bool,
    **allowed: Any,
) -> None:
    """Roll TARGET back to an image that is published already."""
    request = Request(Kind.ROLLBACK, to, getpass.getuser(), why=reason, options=Options(**allowed))
    _release(ctx, target, request, local=local, as_json=as_json)


def _release(
    ctx: click.Context, target: str, request: Request, *, local: bool, as_json: bool
) -> None:
    session: Session = ctx.obj
    if local:
        tell_end(ctx, _release_here(session, target, request), as_json=as_json)
    try:
        _require_readable(request)
    except InvalidInput as error:
        tell_refusal(ctx, target, reason(error), as_json=as_json)
    from slipway.cli.prefect_run import release_by_worker  # noqa: PLC0415 - Prefect: 1.5 s

    end = session.run(release_by_worker(target, request, session.ledger()))
    if end.release is not None:
        tell_end(ctx, end.release, as_json=as_json)
    tell_run_end(ctx, target, end, as_json=as_json)


def _require_readable(request: Request) -> None:
    """What a deployment's form would refuse is refused in the words of a release."""
    if request.kind is Kind.DEPLOY or request.wanted != PREVIOUS:
        parse_commit(request.wanted)


def _release_here(session: Session, target: str, request: Request) -> Release:
    from flows import deploy as deploying  # noqa: PLC0415 - Prefect: 1.5 s
    from flows import rollback as rolling_back  # noqa: PLC0415 - likewise
    from slipway.cli.local_run import release_here  # noqa: PLC0415 - likewise

    story = deploying.release if request.kind is Kind.DEPLOY else rolling_back.release
    return session.run(release_here(story, session.ports(target), request))
