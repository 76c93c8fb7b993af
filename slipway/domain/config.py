"""One key of an ESC environment: what stands there, and whether a pin may replace it."""

from dataclasses import dataclass
from enum import StrEnum

from slipway.domain.target import ConfigKey
from slipway.errors import ConfigKeyUnusable


class KeyForm(StrEnum):
    """How the key stands in the environment's own definition."""

    PLAIN = "a plain string"
    MISSING = "missing"
    EMPTY = "empty"
    SECRET = "secret"  # noqa: S105 - a form, not a credential
    INTERPOLATED = "interpolated from other values"
    ALIAS = "an alias or an anchor"
    INHERITED = "inherited from an imported environment"
    NOT_TEXT = "not a string"


@dataclass(frozen=True, slots=True)
class ConfigSnapshot:
    """The key as one revision of the environment has it.

    `value` is the text of a plain string, None in every other form. `etag` guards a later write.
    """

    key: ConfigKey
    revision: int
    etag: str
    form: KeyForm
    value: str | None = None
    author: str = ""


@dataclass(frozen=True, slots=True)
class ConfigRevision:
    """One revision of an ESC environment, for people who ask who changed it."""

    number: int
    author: str
    created: str

    def __str__(self) -> str:
        return f"revision {self.number} by {self.author or 'unknown'} ({self.created})"


@dataclass(frozen=True, slots=True)
class ConfigHistory:
    """What all revisions have had that ESC still has of an environment."""

    values: frozenset[str]
    """Every value of one key, as a text."""
    names: frozenset[str]
    """Every digest and commit that stands anywhere in them, under whichever key."""


_REMEDY = {
    KeyForm.MISSING: "set it once to the image that runs, or deploy with --first",
    KeyForm.EMPTY: "set it to the image that runs",
    KeyForm.SECRET: "set it again as plain text: an image reference is no secret",
    KeyForm.INTERPOLATED: "write the image reference itself in its place",
    KeyForm.ALIAS: "write the image reference itself in its place",
    KeyForm.INHERITED: "set it in this environment, which the stack imports directly",
    KeyForm.NOT_TEXT: "write it as a string",
}


def require_replaceable(snapshot: ConfigSnapshot, *, first: bool = False) -> None:
    """Refuse a key in any form that a pin can't replace byte for byte."""
    if snapshot.form is KeyForm.PLAIN or (first and snapshot.form is KeyForm.MISSING):
        return
    raise ConfigKeyUnusable(
        f"ESC key {snapshot.key} is {snapshot.form} at revision {snapshot.revision}: "
        f"{_REMEDY[snapshot.form]}"
    )


def require_unshadowed(key: ConfigKey, shadow: str | None, stack_file: str) -> None:
    """Refuse a key that the stack's own file overrides: writing it to ESC would change nothing."""
    if shadow is not None:
        raise ConfigKeyUnusable(
            f"ESC key {key} has no effect: {stack_file} sets {key.key} to {shadow[:200]!r}, and "
            "the stack file wins over ESC; remove the key from the stack file and commit that"
        )


def untold(key: ConfigKey, revision: int, form: KeyForm) -> ConfigKeyUnusable:
    """The error where nobody can say what a revision had: what it named could not be kept."""
    return ConfigKeyUnusable(
        f"ESC key {key} was {form} at revision {revision}, so the image that it named can't be "
        "told, and would not be kept: let the target use another key or environment, whose whole "
        "history is plain text"
    )
