"""Draws how costs grow, from results.json, into docs/."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Record

FOLDER = Path(__file__).parents[1] / "docs" / "performance"
STYLES = {"ours": "o-", "peer": "s--", "limit": "^:"}


def draw(records: Sequence[Record], folder: Path = FOLDER) -> list[Path]:
    """One log-log plot for each row that has points."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_plot(each, folder / f"{each['id']}.png") for each in records if each["points"]]


def _plot(record: Record, path: Path) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - `plots` group only
    from matplotlib.figure import Figure  # noqa: PLC0415 - likewise

    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side, points in record["points"].items():
        sizes = [int(size) for size in points]
        label = f"{side}: exponent {record[side]:.2f}"
        axes.loglog(sizes, list(points.values()), STYLES[side], label=label)
    what, _, over = record["what"].partition(": how it grows over ")
    axes.set_title(what)
    axes.set_xlabel(over)
    axes.set_ylabel("seconds, median")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path
