"""How soon the command line answers, its memory, and what the parts of the sandbox take."""

from benchmarks.rows import AtMost, Row
from benchmarks.samples import Sample, Series, Words, in_turns, run, series, warm_up
from benchmarks.world import ADAPTER, PYTHON, World
from sandbox.memory import by_process

SECONDS = AtMost(0.5)
MIB = AtMost(80.0)
COMMANDS = {"status": ["status", ADAPTER], "history": ["history", ADAPTER], "help": ["--help"]}
PROGRAM = """
import atexit, os, sys
def leave():
    with open("/proc/self/status") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
    with open(os.environ["SLIPWAY_BENCH_PEAK"], "w") as file:
        file.write(f"{peak} {int('prefect' in sys.modules)}")
atexit.register(leave)
sys.argv[0] = "slipway"
from slipway.cli.main import main
main()
"""
"""What the console script does; at its end it says how much memory it had, and Prefect's part."""
READ_BY_HAND = r"""
set -e
git ls-remote --quiet "$SANDBOX_REPOSITORY" refs/heads/main
image=$(pulumi env get "$ENVIRONMENT" "pulumiConfig[\"$KEY\"]" --value string)
skopeo inspect --raw --tls-verify=false --authfile "$DOCKER_CONFIG/config.json" "docker://$image"
skopeo inspect --raw --tls-verify=false --authfile "$DOCKER_CONFIG/config.json" \
  "docker://$REPOSITORY:main"
pulumi stack export --stack "$STACK" --cwd "$1/cluster"
kubectl --namespace "$NAMESPACE" get deployments,replicasets,pods --selector "$SELECTOR" -o json
"""
"""What a person reads to know the same."""


async def measure(world: World, rounds: int) -> list[Row]:
    """The commands that only look, beside reading by hand and a bare interpreter."""
    rows = []
    for name, words in COMMANDS.items():
        looks = Looks(world, words)
        sides = {"ours": looks.ours, "limit": looks.bare}
        if name == "status":
            sides["peer"] = looks.by_hand
        await warm_up(sides)
        looks.peaks.clear()
        taken = await in_turns(sides, rounds)
        promised = name == "status"
        if promised and looks.prefect:
            raise RuntimeError("slipway status has imported Prefect")
        note = (
            "peer: git, pulumi, skopeo and kubectl in turn; limit: an interpreter that does nothing"
        )
        rows += [
            Row(
                f"start-{name}",
                f"slipway {name}",
                "s",
                taken["ours"],
                taken.get("peer"),
                taken["limit"],
                SECONDS if promised else None,
                note=note if promised else "limit: an interpreter that does nothing",
            ),
            Row(
                f"memory-{name}",
                f"peak memory of slipway {name}",
                "MiB",
                looks.memory,
                promise=MIB if promised else None,
                note="of its own process, which starts git; "
                + ("Prefect was imported" if looks.prefect else "Prefect is not imported"),
            ),
        ]
    return [*rows, sandbox_memory(world, rounds)]


class Looks:
    """One command of ours that only looks."""

    def __init__(self, world: World, words: list[str]) -> None:
        self.world, self.words = world, words
        self.peaks: list[float] = []
        self.prefect = False
        self.output = ""
        """What it printed last."""

    @property
    def memory(self) -> Series:
        """Its peak of each time, in MiB."""
        return series(*self.peaks)

    async def ours(self, _: int) -> Sample:
        """The command, as a shell starts it."""
        peak = self.world.box.folder("bench") / "peak"
        environment = {**self.world.environment, "SLIPWAY_BENCH_PEAK": str(peak)}
        done = run([PYTHON, "-c", PROGRAM, *self.words], environment)
        kib, loaded = peak.read_text().split()
        self.peaks.append(int(kib) / 1024)
        self.prefect = self.prefect or loaded == "1"
        self.output = done.output
        return done.sample

    async def bare(self, _: int) -> Sample:
        """The same interpreter, doing nothing."""
        return run([PYTHON, "-c", "pass"], self.world.environment).sample

    async def by_hand(self, _: int) -> Sample:
        """Every place that `status` looks at, by its own tool."""
        words: Words = ["/bin/sh", "-c", READ_BY_HAND, "sh", self.world.tree]
        return run(words, self.world.by_hand()).sample


def sandbox_memory(world: World, rounds: int) -> Row:
    """What the sandbox holds now, part by part, shared memory counted once."""
    looks = [by_process(world.box) for _ in range(rounds)]
    return Row(
        "memory-sandbox",
        "the sandbox at rest, with its pods; without GitHub's part and the webhook",
        "MiB",
        series(*(sum(each.values()) for each in looks)),
        parts={name: held for name, held in sorted(looks[-1].items()) if held},
    )
