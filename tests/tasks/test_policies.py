"""What may be repeated is repeated after passing trouble only, and nothing else ever is."""

import asyncio
import subprocess
import sys

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

from slipway.errors import PermanentError, TransientError, Unreachable
from slipway.tasks.policies import SECONDS_BETWEEN_TRIES, once, repeatable, run_address
from tests.fakes.virtual_time import run


class Flaky:
    """Fails as often as it is told to."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error, self.tries = failures, error, 0

    async def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.failures:
            raise self.error
        return "done"


def test_a_repeatable_step_is_tried_again_after_passing_trouble() -> None:
    flaky = Flaky(len(SECONDS_BETWEEN_TRIES), Unreachable("blink"))

    async def story() -> tuple[str, float]:
        return await repeatable("flaky")(flaky)(), asyncio.get_running_loop().time()

    done, seconds = run(story())

    assert done == "done"
    assert seconds == pytest.approx(sum(SECONDS_BETWEEN_TRIES))


def test_a_repeatable_step_gives_up_with_the_last_error() -> None:
    flaky = Flaky(99, Unreachable("still down"))

    with pytest.raises(Unreachable, match="still down"):
        run(repeatable("flaky")(flaky)())  # type: ignore[arg-type] # an awaitable is enough

    assert flaky.tries == len(SECONDS_BETWEEN_TRIES) + 1


@pytest.mark.parametrize("error", [PermanentError("no"), ValueError("defect")])
def test_nothing_but_passing_trouble_is_repeated(error: Exception) -> None:
    flaky = Flaky(1, error)

    with pytest.raises(type(error)):
        run(repeatable("flaky")(flaky)())  # type: ignore[arg-type] # likewise

    assert flaky.tries == 1


def test_a_one_shot_step_is_never_repeated() -> None:
    flaky = Flaky(1, TransientError("effect unknown"))

    with pytest.raises(TransientError):
        run(once("flaky")(flaky)())  # type: ignore[arg-type] # likewise

    assert flaky.tries == 1


def test_steps_do_not_import_prefect() -> None:
    """`slipway status` and the simulation start in a fraction of Prefect's second and a half."""
    program = (
        "import sys, slipway.tasks.deciding, slipway.tasks.report\n"
        "sys.exit('prefect' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_address_of_a_run_is_shown_without_the_password_of_prefects_own() -> None:
    run_id = "5b0f8d8e-0000-4000-8000-000000000000"
    with temporary_settings(
        {PREFECT_API_URL: "https://ada:hunter2@prefect.example/api"},
        restore_defaults={PREFECT_UI_URL},
    ):
        shown = run_address(run_id)

    assert shown == f"https://prefect.example/runs/flow-run/{run_id}"
