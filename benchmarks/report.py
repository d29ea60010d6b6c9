"""Turning samples into rows: medians, ratios within each round, the table and the file.

What belongs here: arithmetic and layout. Nothing here measures.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from attrs import asdict, frozen

__all__ = ["Row", "Samples", "compared", "spread", "table", "write"]

HEAD: Final = (
    "part",
    "variant",
    "median",
    "unit",
    "x",
    "reference",
    "lowest to highest",
    "processor x",
    "MiB above idle",
    "lag, ms",
)
NUMBERS: Final = (2, 4, 6, 7, 8, 9)
"""The columns that are aligned to the right."""

Samples = Mapping[str, Sequence[Mapping[str, float]]]


@frozen
class Spread:
    """The figures of all rounds.

    Attributes:
        median: the median figure.
        low: the lowest figure.
        high: the highest figure.
    """

    median: float
    low: float
    high: float


@frozen(kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        part: the measured part.
        variant: the library or client that was measured.
        unit: the unit of the figure.
        figure: the figure on this machine; another machine has other figures.
        reference: the variant that `ratio` and `processor` compare with.
        ratio: the figure divided by the reference's in the same round.
        processor: the processor seconds divided by the reference's in the same round.
        memory_mib: the peak memory above idle.
        lag_ms: how long the event loop could do no other work, at the 99th percentile.
    """

    part: str
    variant: str
    unit: str
    figure: Spread
    reference: str | None = None
    ratio: Spread | None = None
    processor: Spread | None = None
    memory_mib: Spread | None = None
    lag_ms: Spread | None = None


def spread(values: Iterable[float]) -> Spread:
    """Return the median of some values, with the lowest and the highest."""
    found = sorted(values)
    return Spread(*(round(value, 4) for value in (median(found), found[0], found[-1])))


def compared(
    samples: Samples, variant: str, reference: str | None, figure: Callable[[Mapping[str, float]], float]
) -> Spread | None:
    """Return the ratios of a figure to the reference's in the same round; None without a reference."""
    if reference is None or not samples.get(reference):
        return None
    pairs = zip(samples[variant], samples[reference], strict=True)
    return spread(figure(one) / figure(other) for one, other in pairs)


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [
        "| "
        + " | ".join(
            text.rjust(width) if column in NUMBERS else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in cells
    ]
    rule = ["-" * (width - 1) + (":" if column in NUMBERS else "-") for column, width in enumerate(widths)]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def write(path: Path, about: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """Write everything as JSON."""
    document = {**about, "rows": [asdict(row, filter=lambda _, value: value is not None) for row in rows]}
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    apart = "" if row.ratio is None else f"{row.ratio.low:.2f} to {row.ratio.high:.2f}"
    return (
        row.part,
        row.variant,
        f"{row.figure.median:,.0f}" if row.figure.median >= 100 else f"{row.figure.median:.3g}",
        row.unit,
        _short(row.ratio, 2),
        row.reference if row.reference and row.ratio else "",
        apart,
        _short(row.processor, 2),
        _short(row.memory_mib, 1),
        _short(row.lag_ms, 1),
    )


def _short(found: Spread | None, digits: int) -> str:
    return "" if found is None else f"{found.median:.{digits}f}"
