"""A definition's expressions as `check` tells them, for `pulumi env get PATH`.

Only what the CLI reads: ranges, literals, members, and what an expression was merged over.
"""

from typing import Any

import yaml

from sandbox.pulumi_cloud.esc.scope import Place, Scope, function_call
from sandbox.pulumi_cloud.esc.syntax import entries, scalar
from sandbox.pulumi_cloud.esc.values import NOWHERE, Value

Expr = dict[str, Any]


def expressions(scope: Scope) -> dict[str, Expr]:
    """The top-level expressions by name."""
    if scope.values is None:
        return {}
    found: dict[str, Expr] = _expression(scope, Place(scope.values, scope.base))["object"]
    return found


def _expression(scope: Scope, place: Place) -> Expr:
    """One expression and those inside it."""
    node = place.node
    expr: Expr = {"range": scope.source.range(node), "schema": {}}
    if place.base is not None:
        expr["base"] = _of_value(place.base)
    if isinstance(node, yaml.SequenceNode):
        expr["list"] = [_expression(scope, Place(each, None)) for each in node.value]
    elif isinstance(node, yaml.MappingNode):
        call = function_call(node)
        return expr | (_members(scope, place, node) if call is None else _call(scope, node, *call))
    else:
        expr["literal"] = scalar(node)
    return expr


def _members(scope: Scope, place: Place, node: yaml.MappingNode) -> Expr:
    """An object's members and where their keys stand."""
    members, ranges = {}, {}
    for key, child in entries(node):
        base = place.base.property(key.value) if place.base else None
        members[key.value] = _expression(scope, Place(child, base))
        ranges[key.value] = scope.source.range(key)
    return {"object": members, "keyRanges": ranges}


def _call(scope: Scope, node: yaml.MappingNode, name: str, argument: yaml.Node) -> Expr:
    """A call of a builtin; a secret's text is not repeated."""
    hidden = name == "fn::secret" and isinstance(argument, yaml.ScalarNode)
    inner = _expression(scope, Place(argument, None))
    if hidden:
        inner["literal"] = "[secret]"
    builtin = {
        "name": name,
        "nameRange": scope.source.range(node.value[0][0]),
        "argSchema": {},
        "arg": inner,
    }
    return {"builtin": builtin}


def _of_value(value: Value) -> Expr:
    """Where an imported value comes from."""
    return {"range": dict(value.range) or NOWHERE, "schema": {}}
