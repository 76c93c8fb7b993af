"""Every error of Slipway's own ends by saying what to do next: read from the code itself."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from slipway import errors
from slipway.errors import SlipwayError

ROOT = Path(__file__).parent.parent
ROOMS = ("blocks", "flows", "slipway")
NAMES = {
    name
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, SlipwayError)
} - {"Superseded"}  # no failure: nothing is to be done
TELLS = re.compile(
    r"\b(?:add|allow|ask|bring|check|choose|configure|correct|decide|deploy|find|finish|fetch|give|"
    r"import|install|leave|look|make|mend|merge|move|name|push|put|raise|read|release|remove|renew|"
    r"repair|report|restart|resume|roll|run|say|see|set|start|take|tell|try|update|upgrade|use|wait|write)\b"
    r"|slipway |`[a-z]",
)
"""What a next step is told by: an imperative, or a command to type."""


WRAPPING = {
    "blocks/file.py target,": "another error of ours with the place that it is about",
    "blocks/file.py _wrong,": "its callers give the remedy",
    "slipway/domain/fitness.py require_ours,": "`_back` says how the field becomes Pulumi's",
    "slipway/clients/pulumi_files.py with_value,": "another error of ours with the file's name",
}
"""Messages whose last words come from elsewhere, and from where."""


@dataclass(frozen=True)
class Raised:
    """A place in the code that makes an error, and the text that it is certain to hold."""

    where: str
    text: str

    @property
    def tells(self) -> bool:
        last = re.split(r"[:;] |\. ", self.text)[-1]
        return TELLS.search(last) is not None

    @property
    def wraps(self) -> str | None:
        """The entry of `WRAPPING` that this is."""
        return next((each for each in WRAPPING if self.where.startswith(each)), None)


def raised_in(path: Path) -> Iterator[Raised]:
    tree = ast.parse(path.read_text())
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[message, *_]) if name in NAMES:
                    where = f"{shown} {function.name}, line {node.lineno}"
                    yield Raised(where, text_of(message, function))


def text_of(node: ast.expr, function: ast.AST) -> str:
    """A message with `…` for what is only known when it runs."""
    match node:
        case ast.Constant(value=str(text)):
            found = text
        case ast.JoinedStr(values=parts):
            found = "".join(text_of(each, function) for each in parts)
        case ast.FormattedValue(value=value):
            found = text_of(value, function)
        case ast.IfExp(body=body, orelse=orelse):
            found = min(text_of(body, function), text_of(orelse, function), key=len)
        case ast.Name(id=name):
            found = next(assigned_to(name, function), CONSTANTS.get(name, "…"))
        case _ if "remedy" in ast.unparse(node).lower():
            found = "see the remedy"
        case _:
            found = "…"
    return found


def assigned_to(name: str, function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                yield text_of(value, function)


def constants() -> Iterator[tuple[str, str]]:
    """Sentences that several errors share, by their name."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    yield node.targets[0].id, text_of(node.value, node)


CONSTANTS: dict[str, str] = {}
CONSTANTS.update(constants())
EVERY = [
    each
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
    for each in raised_in(path)
]


def test_every_error_ends_with_what_to_do_next() -> None:
    speechless = [each for each in EVERY if not each.tells and not each.wraps]

    assert not speechless, "\n".join(f"{each.where}: {each.text}" for each in speechless)


def test_the_guard_reads_the_code_that_it_guards() -> None:
    assert len(EVERY) > 150
    assert {each for each in WRAPPING if not any(it.wraps == each for it in EVERY)} == set()


@pytest.mark.parametrize(
    ("code", "good"),
    [
        ('raise Unreachable(f"{host} does not answer: check it")', True),
        ('raise Unreachable(f"{host} does not answer: {why}")', False),
        ('raise Unreachable("the host is away")', False),
        ("raise Unreachable(why)", False),
        ('told = f"{host} is away; try again"\n    raise Unreachable(told)', True),
        ('return Unreachable(f"read {host}; it is away")', False),
    ],
)
def test_a_planted_error_without_a_next_step_is_found(
    code: str, *, good: bool, tmp_path: Path
) -> None:
    (tmp_path / "planted.py").write_text(f"def planted(host, why):\n    {code}\n")

    [found] = raised_in(tmp_path / "planted.py")

    assert found.tells is good
