"""The builtin functions that are evaluated here."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import yaml

from sandbox.pulumi_cloud.esc.secrets import ciphertext_of
from sandbox.pulumi_cloud.esc.syntax import scalar
from sandbox.pulumi_cloud.esc.values import Value, from_data

if TYPE_CHECKING:
    from sandbox.pulumi_cloud.esc.scope import Scope

PREFIX = "fn::"
JOIN_ARGUMENTS = 2


class Failure(Exception):
    """A function cannot be evaluated; the message says why."""


def secret(scope: "Scope", argument: yaml.Node) -> Value:
    """`fn::secret`: a string literal, or the ciphertext that the server made of one."""
    if ciphertext := ciphertext_of(argument):
        if scope.decrypt is None:
            return Value(None, secret=True, unknown=True)
        try:
            return Value(scope.decrypt(ciphertext), secret=True)
        except ValueError as error:
            raise Failure(f"invalid ciphertext: {error}") from error
    text = scalar(argument) if isinstance(argument, yaml.ScalarNode) else None
    if not isinstance(text, str):
        raise Failure("secret values must be string literals")
    return Value(text, secret=True)


def join(scope: "Scope", argument: yaml.Node) -> Value:
    """`fn::join`: a delimiter and a list of strings."""
    if not isinstance(argument, yaml.SequenceNode) or len(argument.value) != JOIN_ARGUMENTS:
        raise Failure("the argument to fn::join must be a two-valued list")
    delimiter, values = (scope.argument(each) for each in argument.value)
    if delimiter.unknown or values.unknown or values.holds_unknown():
        return Value(None, unknown=True, secret=delimiter.secret or values.holds_secret())
    if not isinstance(delimiter.plain, str) or not isinstance(values.plain, list):
        raise Failure("fn::join takes a string and a list of strings")
    texts = [each.plain for each in values.plain if isinstance(each.plain, str)]
    if len(texts) != len(values.plain):
        raise Failure("fn::join takes a string and a list of strings")
    secret_parts = delimiter.holds_secret() or values.holds_secret()
    return Value(delimiter.plain.join(texts), secret=secret_parts)


def to_json(scope: "Scope", argument: yaml.Node) -> Value:
    """`fn::toJSON`: any value as text."""
    value = scope.argument(argument)
    if value.holds_unknown():
        return Value(None, unknown=True, secret=value.holds_secret())
    text = json.dumps(value.to_data(), separators=(",", ":"), ensure_ascii=False)
    return Value(text, secret=value.holds_secret())


def from_json(scope: "Scope", argument: yaml.Node) -> Value:
    """`fn::fromJSON`: text as a value."""
    value = scope.argument(argument)
    if value.unknown:
        return Value(None, unknown=True, secret=value.secret)
    if not isinstance(value.plain, str):
        raise Failure("fn::fromJSON takes a string")
    try:
        data = json.loads(value.plain)
    except ValueError as error:
        raise Failure(f"decoding JSON string: {error}") from error
    parsed = from_data(data, scope.source.range(argument))
    return parsed.as_secret() if value.secret else parsed


Function = Callable[["Scope", yaml.Node], Value]
FUNCTIONS: dict[str, Function] = {
    "fn::secret": secret,
    "fn::join": join,
    "fn::toJSON": to_json,
    "fn::fromJSON": from_json,
}
