"""The errors' own promises: the tree is the whole tree, and only its leaves are raised."""

import importlib
import pkgutil
import re

import pytest

import blocks
import flows
import slipway
from slipway import errors
from slipway.errors import PermanentError, SlipwayError, TransientError

_BRANCH = re.compile(r"^(?P<indent>[│ ]*)(?:[├└]── )?(?P<name>[A-Z]\w+)\b")


def import_everything() -> None:
    """A class counts wherever it is written."""
    for room in (blocks, flows, slipway):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if ".migrations." not in module.name:
                importlib.import_module(module.name)


def drawn() -> dict[str, str]:
    """Error → parent, as the docstring draws them."""
    parents: list[str] = []
    tree = {}
    for line in (errors.__doc__ or "").splitlines():
        found = _BRANCH.match(line)
        if found is None or line.startswith("Every"):
            continue
        depth = (len(found["indent"]) // 4) + ("── " in line)
        parents[depth:] = [found["name"]]
        tree[found["name"]] = parents[depth - 1] if depth else "Exception"
    return tree


def existing(kind: type[SlipwayError] = SlipwayError) -> dict[str, str]:
    ours = [each for each in kind.__subclasses__() if not each.__module__.startswith("tests")]
    below = [existing(child) for child in ours]
    here = {kind.__name__: kind.__bases__[0].__name__}
    return {name: parent for each in (here, *below) for name, parent in each.items()}


def test_the_drawing_is_the_whole_tree() -> None:
    import_everything()

    assert drawn() == existing()


def test_every_leaf_has_a_code_of_its_own() -> None:
    codes = [each.code for each in leaves()]

    assert SlipwayError.code not in codes
    assert len(set(codes)) == len(codes)


def leaves() -> list[type[SlipwayError]]:
    branches = {SlipwayError, TransientError, PermanentError}
    named = [each for each in vars(errors).values() if isinstance(each, type)]
    return [each for each in named if issubclass(each, SlipwayError) and each not in branches]


@pytest.mark.parametrize(
    "message",
    [
        "registry ghcr.io does not answer: TimeoutError; check the network",
        "check the network",
        "it is away. Nothing was changed: check the network",
    ],
)
def test_an_error_says_last_what_to_do_next(message: str) -> None:
    assert errors.SlipwayError(message).next_step == "check the network"
