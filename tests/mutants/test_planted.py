"""Each planted bug still fits the product; `make mutants` shows that each is noticed."""

import ast
from pathlib import Path

import pytest

from tests.mutants.__main__ import ROOT
from tests.mutants.planted import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_fits_the_code_and_leaves_it_readable(mutant: Mutant, tmp_path: Path) -> None:
    copy = tmp_path / mutant.path
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / mutant.path).read_text(encoding="utf-8"), encoding="utf-8")

    mutant.plant(tmp_path)

    ast.parse(copy.read_text(encoding="utf-8"))


def test_a_planted_bug_whose_text_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("nothing = 1\n", encoding="utf-8")

    with pytest.raises(ValueError, match="bring the mutant up to date"):
        Mutant("gone", "file.py", "something", "else").plant(tmp_path)


def test_there_are_enough() -> None:
    assert len({each.name for each in MUTANTS}) == len(MUTANTS) >= 20
