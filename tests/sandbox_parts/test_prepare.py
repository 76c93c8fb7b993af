"""What the sandbox needs is told before anything is installed, and no more than it needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import prepare, toolchain
from sandbox.box import Options
from sandbox.prepare import Needs, Package, find_needs, find_problems

ROOT = Path(__file__).parents[2]
HERE = Package("here", "/etc/pass*", "git")
GONE = Package("gone", "/no/such/file", "git")
TOOL = toolchain.TOOLS[0]


def test_it_looks_with_the_standard_library_alone() -> None:
    program = (
        "import json, sys\n"
        "import sandbox.prepare\n"
        "print(json.dumps([name.partition('.')[0] for name in sys.modules]))\n"
    )

    done = subprocess.run(
        [sys.executable, "-Sc", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) <= set(sys.stdlib_module_names) | {"__main__", "sandbox"}


def test_everything_is_needed_where_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "listens", lambda _: False)

    needs = find_needs(Options(), tests=True)

    assert {each.part for each in needs.packages} == {each.part for each in prepare.PACKAGES}
    assert list(needs.tools) == list(toolchain.TOOLS)
    assert needs.root


def test_with_a_cluster_engine_and_pulumi_of_ones_own_nothing_is_built_and_nobody_is_root() -> None:
    needs = find_needs(Options("/my/kubeconfig", "unix:///my/docker", "/my/pulumi"))

    assert not needs.tools
    assert not needs.root
    assert {each.part for each in needs.packages} == {"registry", "example", "git"}


def test_an_engine_that_answers_is_not_installed_a_second_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prepare, "listens", lambda _: True)

    assert "docker" not in {each.part for each in find_needs(Options()).packages}


def test_a_version_in_a_files_path_may_be_any() -> None:
    assert Needs([HERE, GONE], [], root=False).missing == ["gone"]


@pytest.mark.parametrize(
    ("needs", "user", "programs", "said"),
    [
        (Needs([], [], root=True), 1000, {}, "root is needed"),
        (Needs([GONE], [], root=True), 0, {}, "counterparts of these Debian packages: gone"),
        (Needs([GONE], [], root=False), 1000, {"apt-get"}, "as root: apt-get install gone"),
        (Needs([], [TOOL], root=False), 0, {}, "Go is not on PATH: install Go 1.25"),
    ],
)
def test_what_only_a_person_can_mend_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, needs: Needs, user: int, programs: set[str], said: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda name: name if name in programs else None)
    monkeypatch.setattr(toolchain, "is_built", lambda _: False)

    [problem] = find_problems(needs)

    assert said in problem
