"""docs/performance.md: its tables, written from results.json between the page's markers."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.rows import Record

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_MARKED = re.compile(r"(<!-- (\w+): written by make bench -->\n).*?(<!-- end -->)", re.DOTALL)
_VERDICT = {True: "holds", False: "**does not hold**", None: "reported"}


def write_page(records: Sequence[Record], path: Path = PAGE) -> None:
    """Write the tables anew; what stands around them stays."""
    path.write_text(filled(path.read_text(), records))


def filled(page: str, records: Sequence[Record]) -> str:
    """The page with its tables as these rows say."""
    tables = {
        "results": "\n".join(results_table(records)),
        "parts": "\n".join(parts_table(records)),
        "cpu": "\n".join(cpu_table(records)),
        "conditions": conditions_line(records),
    }
    return _MARKED.sub(lambda found: f"{found[1]}\n{tables[found[2]]}\n\n{found[3]}", page)


def results_table(records: Sequence[Record]) -> Iterator[str]:
    """Every row: median, and smallest to largest in brackets."""
    yield "| id | what | ours | peer | limit | ratio | promise | |"
    yield "|---|---|---|---|---|---|---|---|"
    for each in records:
        sides = " | ".join(_side(each, name) for name in ("ours", "peer", "limit"))
        promise, verdict = each["promise"] or "", _VERDICT[each["ok"]]
        what = ", ".join(filter(None, (each["what"], each["unit"])))
        what += f" ({each['note']})" if each["note"] else ""
        yield f"| {each['id']} | {what} | {sides} | {_ratio(each)} | {promise} | {verdict} |"


def parts_table(records: Sequence[Record]) -> Iterator[str]:
    """Where the rows that tell their parts go: one column a row."""
    told = [each for each in records if each["parts"]]
    names = list(dict.fromkeys(name for each in told for name in each["parts"]))
    yield "| part | " + " | ".join(f"{each['id']}, {each['unit']}" for each in told) + " |"
    yield "|---|" + "---|" * len(told)
    for name in names:
        values = (each["parts"].get(name) for each in told)
        yield f"| {name} | " + " | ".join("" if v is None else f"{v:.2f}" for v in values) + " |"


def cpu_table(records: Sequence[Record]) -> Iterator[str]:
    """Processor time beside wall time, where it was measured."""
    yield "| id | ours: wall, CPU | peer: wall, CPU | limit: wall, CPU |"
    yield "|---|---|---|---|"
    for each in records:
        if each["cpu"]:
            cells = (
                f"{each[name]:.3g}, {each['cpu'][name]:.3g}" if name in each["cpu"] else ""
                for name in ("ours", "peer", "limit")
            )
            yield f"| {each['id']} | " + " | ".join(cells) + " |"


def conditions_line(records: Sequence[Record]) -> str:
    """One sentence on the machine, over all rows."""
    noted = [each["conditions"] for each in records]
    if not noted:
        return "Nothing has been measured yet."
    busy = [each["busy_before"] for each in noted]
    load = [each[name] for each in noted for name in ("load_before", "load_after")]
    last = max(noted, key=lambda each: str(each["at"]))
    return (
        f"Measured from {min(each['at'] for each in noted)} to {last['at']} on {last['cores']} "
        f"cores with {last['memory_gib']} GiB, Python {last['python']}. The "
        f"processors were {min(busy):.0%} to {max(busy):.0%} busy just before a measurement, the "
        f"sandbox included; the load average was {min(load):.1f} to {max(load):.1f}. "
        f"{_commits(noted)}"
    )


def _commits(noted: Sequence[Record]) -> str:
    seen = sorted({each["commit"] for each in noted})
    return f"All at commit {seen[0]}." if len(seen) == 1 else f"At commits {', '.join(seen)}."


def _ratio(record: Record) -> str:
    """Below what is shown, where nobody waited for the end of the other side."""
    if record["ratio"] is None:
        return ""
    other = "limit" if record["peer"] is None else "peer"
    return ("< " if other in record["at_least"] else "") + f"{record['ratio']:.3g}"


def _side(record: Record, name: str) -> str:
    value = record[name]
    if value is None:
        return ""
    sign = "> " if name in record["at_least"] else ""
    low, high = record["spread"][name]
    return f"{sign}{value:.3g}" + (f" ({low:.3g} to {high:.3g})" if low != high else "")
