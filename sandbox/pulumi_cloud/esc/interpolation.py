"""`${a.b["c.d"][0]}` inside strings; `$$` is a dollar sign."""

import json
import re
from dataclasses import dataclass

Accessor = str | int

NAME = re.compile(r"[^.\[\]{}\"\s$]+")
SUBSCRIPT = re.compile(r"\[(?:(\d+)|(\"(?:[^\"\\]|\\.)*\"))\]")


@dataclass(frozen=True)
class Part:
    """Literal text, then perhaps a reference."""

    text: str
    reference: tuple[Accessor, ...] = ()


def parse(text: str) -> list[Part]:
    """The parts of a string; ValueError says what is wrong with a reference."""
    parts: list[Part] = []
    literal, at = "", 0
    while at < len(text):
        if text.startswith("$$", at):
            literal, at = literal + "$", at + 2
        elif text.startswith("${", at):
            reference, at = _reference(text, at + 2)
            parts.append(Part(literal, reference))
            literal = ""
        else:
            literal, at = literal + text[at], at + 1
    return [*parts, Part(literal)] if literal else parts


def split_path(path: str) -> tuple[Accessor, ...]:
    """A property path as a query carries it: the inside of a reference."""
    reference, end = _reference(path + "}", 0)
    if end != len(path) + 1:
        raise ValueError(f"{path!r} is not a property path")
    return reference


def _reference(text: str, start: int) -> tuple[tuple[Accessor, ...], int]:
    """The accessors up to the closing brace, and where the text goes on after it."""
    accessors: list[Accessor] = []
    at = start
    while at < len(text) and text[at] != "}":
        if subscript := SUBSCRIPT.match(text, at):
            index, key = subscript.groups()
            accessors.append(int(index) if index else json.loads(key))
            at = subscript.end()
            continue
        dotted = at + (text[at] == "." and bool(accessors))
        name = NAME.match(text, dotted)
        if name is None or (accessors and dotted == at):
            raise ValueError(f"invalid property access in {text!r} at position {at}")
        accessors.append(name.group())
        at = name.end()
    if at >= len(text):
        raise ValueError("missing closing brace '}' in interpolation")
    if not accessors:
        raise ValueError("property access cannot be empty")
    return tuple(accessors), at + 1
