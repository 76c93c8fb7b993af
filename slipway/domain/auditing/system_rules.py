"""Rules about the system around the image: the ESC key, holds, releases left open."""

import shlex
from collections.abc import Iterator

from slipway.domain.agreement import Unknown
from slipway.domain.auditing import remedies
from slipway.domain.auditing.picture import Moving, Picture, Program, known
from slipway.domain.config import KeyForm
from slipway.domain.finding import Finding, Remedy, Severity

HOLD_DAYS = 7
"""Days after which a hold that still stands is asked about."""
ROOTS = ("git", "the registry", "the Deployment")
"""Parts without which others can't be looked at: those are unknown by the very same `Unknown`."""
Findings = Iterator[Finding]


def unseen(picture: Picture) -> Findings:
    """SYS001: a place could not be looked at; the registry's own rule is IMG002."""
    for name, part in picture.parts.items():
        if name == "the registry" or not isinstance(part, Unknown) or isinstance(part, Moving):
            continue
        if name not in ROOTS and any(part is picture.parts[each] for each in ROOTS):
            continue  # of that one it is told
        yield Finding(
            "SYS001",
            Severity.ERROR,
            picture.target.name,
            name,
            "it can be looked at",
            part.why,
            remedies.mend_and_look(picture, part),
        )


def not_read(picture: Picture) -> Findings:
    """SYS002: nothing reads the ESC key, so that pinning an image there changes nothing."""
    program, key = known(picture.program), picture.target.config_key
    if program.problem:
        seen = program.problem
    elif program.shadow is not None:
        seen = f"{program.stack_file} sets {program.shadow}, which wins over ESC"
    elif not program.mentions_key:
        seen = f"no file of the program in {picture.target.program}/ names {key.key}"
    else:
        return
    yield Finding(
        "SYS002",
        Severity.ERROR,
        picture.target.name,
        str(key),
        "the Pulumi program takes its image from this key",
        seen,
        _let_it_read(picture, program),
    )


def not_plain(picture: Picture) -> Findings:
    """SYS005: the ESC key is in a form that no release can replace."""
    config = known(picture.config)
    if config.form is KeyForm.PLAIN:
        return
    if config.form is KeyForm.MISSING and _is_new(picture):
        return  # the first deploy makes it, with the Deployment, which another rule misses
    seen = known(picture.cluster)
    memory = picture.ledger
    live = "" if isinstance(memory, Unknown) else remedies.live_image(memory.history)
    image = (seen.image if seen is not None else "") or live
    environment = picture.target.config_key.environment_name
    yield Finding(
        "SYS005",
        Severity.ERROR,
        picture.target.name,
        str(config.key),
        "a plain string",
        f"it is {config.form} at revision {config.revision}",
        Remedy(
            "set it to the image that runs, as plain text",
            f"pulumi env set {environment} 'pulumiConfig[\"{config.key.key}\"]' {image} --plaintext"
            if image
            else "",
        ),
    )


def old_hold(picture: Picture) -> Findings:
    """SYS006: automation has been paused for long; it is only news where a hold says until when."""
    for hold in known(picture.ledger).holds:
        days = (picture.at - hold.since).days
        is_over = hold.until is not None and hold.until <= picture.at
        if days > HOLD_DAYS and not is_over:
            until = f"until {hold.until:%Y-%m-%d %H:%M} UTC" if hold.until else "without an end"
            yield Finding(
                "SYS006",
                Severity.INFO if hold.until else Severity.WARNING,
                picture.target.name,
                f"hold {hold.number}",
                f"a hold is over within {HOLD_DAYS} days",
                f"held for {days} days, {until}, by {hold.by}: {hold.reason}",
                Remedy(
                    "let automation go on; where it is to pause longer, release it and hold again "
                    "with --until",
                    f"slipway release-hold {picture.target.name} --number {hold.number} "
                    "--reason 'it is over'",
                ),
            )


def interrupted(picture: Picture) -> Findings:
    """SYS007: a release stands open, and nobody works on it."""
    for release in known(picture.ledger).interrupted:
        yield Finding(
            "SYS007",
            Severity.ERROR,
            picture.target.name,
            f"release {release.id}",
            "every release comes to an end",
            f"{release.kind} {release.request.wanted} is {release.state} ({release.phase}), and "
            "nobody works on it",
            Remedy("finish it", f"slipway recover {picture.target.name}"),
        )


def unread(picture: Picture) -> Findings:
    """SYS009: a key of the ESC environment names an image, is no target's, and nothing reads it."""
    for key, image in (known(picture.unread) or {}).items():
        path = shlex.quote(f'pulumiConfig["{key.key}"]')
        yield Finding(
            "SYS009",
            Severity.WARNING,
            picture.target.name,
            str(key),
            "it is a target's, or a file of the programs' repositories names it",
            f"it names {image}; it is no target's, and nothing reads it",
            Remedy(
                "remove it, or register the target whose it is in slipway.toml",
                f"pulumi env rm {key.environment_name} {path}",
            ),
        )


def _is_new(picture: Picture) -> bool:
    """Whether nobody knows of anything that was ever deployed at the target."""
    if known(picture.cluster) is not None:
        return False
    return not remedies.live_image(known(picture.ledger).history) and not known(picture.stack).image


def _let_it_read(picture: Picture, program: Program) -> Remedy:
    """What is typed in the program's folder, in a clean checkout of the branch."""
    target, file = picture.target, program.stack_file.rpartition("/")[2]
    key, stack = target.config_key, target.stack
    commit = f"git commit --message={{}} -- {file} && git push"
    if program.problem and program.lacks_import:
        said = shlex.quote(f"Read {key.project}/{key.environment} of ESC in {stack.stack}")
        return Remedy(
            f"let {program.stack_file} import the environment, by a commit",
            f"pulumi config env add {key.project}/{key.environment} --stack {stack} --yes && "
            + commit.format(said),
        )
    if program.problem:
        return Remedy("do what its own words say, by a commit")
    if program.shadow is not None:
        said = shlex.quote(f"Take {key.key} of {stack.stack} from ESC")
        return Remedy(
            f"remove the key from {program.stack_file}, by a commit",
            f"pulumi config rm {key.key} --stack {stack} && " + commit.format(said),
        )
    return Remedy(
        f"let a file of {target.program}/ read {key.key}, by a commit, or correct `key` of "
        f"[targets.{target.name}] in slipway.toml"
    )
