"""The results of `hyperbox bench` as a table, as JSON and as a plot. Pure: nothing is measured or opened here."""

from __future__ import annotations

import os
from statistics import median, quantiles
from typing import NamedTuple
from xml.sax.saxutils import escape


class Row(NamedTuple):
    """One case: seconds of every counted run by program, peak memory in bytes where it was asked for, and why a program has none."""

    name: str
    what: str
    goal: float | None
    times: dict[str, list[float]]
    peaks: dict[str, int]
    missing: dict[str, str]


def ratio(row: Row, first: str, peer: str) -> float | None:
    """Return the ratio of the medians, or None where one of them was not measured."""
    ours, theirs = row.times.get(first), row.times.get(peer)
    return median(ours) / median(theirs) if ours and theirs else None


def quartiles(times: list[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(times) < 2:
        return times[0], times[0], times[0]
    low, middle, high = quantiles(times, n=4, method="inclusive")
    return low, middle, high


def row_to_line(row: Row) -> str:
    """Return the medians of one case in short."""
    return ", ".join(
        f"{label} {median(times) * 1e3:.1f} ms" if times else f"{label} -" for label, times in row.times.items()
    )


def rows_to_table(rows: list[Row], labels: list[str]) -> str:
    """Return the report as aligned text: median and quartiles in milliseconds, the ratio to each peer, and what could not be measured."""
    header = ["CASE", *(f"{label} ms (quartiles)" for label in labels), *(f"/ {peer}" for peer in labels[1:]), "GOAL"]
    lines = [header]
    notes = []
    for row in rows:
        cells = [row.what]
        for label in labels:
            times = row.times.get(label)
            if not times:
                cells.append("-")
                notes.append(f"not measured: {row.what} with {label}: {row.missing.get(label, 'no run')}")
                continue
            low, middle, high = quartiles(times)
            cells.append(f"{middle * 1e3:.1f} ({low * 1e3:.1f}-{high * 1e3:.1f})")
        for peer in labels[1:]:
            value = ratio(row, labels[0], peer)
            cells.append("-" if value is None else f"{value:.3f}")
        cells.append("" if row.goal is None else f"{row.goal:g}")
        lines.append(cells)
        if row.peaks:
            notes.append(
                f"peak memory: {row.what}: "
                + ", ".join(f"{label} {peak >> 20} MiB" for label, peak in row.peaks.items())
            )
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return "\n".join([text, *notes])


def rows_to_json(rows: list[Row], notes: list[str], *, runs: int, pauses: tuple[float, ...]) -> dict[str, object]:
    """Return everything that was measured, and the machine it was measured on."""
    machine = os.uname()
    return {
        "machine": {"kernel": machine.release, "architecture": machine.machine, "processors": os.cpu_count()},
        "runs": runs,
        "pauses": list(pauses),
        "notes": notes,
        "cases": [row._asdict() for row in rows],
    }


def rows_to_svg(rows: list[Row], labels: list[str]) -> str:
    """Return a bar per case: our median as a part of the first peer's, with the goal as a mark."""
    peer = labels[1] if len(labels) > 1 else ""
    bars = [(row, value) for row in rows if peer and (value := ratio(row, labels[0], peer)) is not None]
    height = 40 + 26 * len(bars)
    scale = 360.0 / max([1.0, *(value for _, value in bars)])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" font-family="sans-serif" font-size="12">',
        f'<text x="10" y="20">time of {escape(labels[0])} as a part of {escape(peer)} (median; | is the goal)</text>',
    ]
    for index, (row, value) in enumerate(bars):
        top = 34 + 26 * index
        parts.append(f'<text x="10" y="{top + 14}">{escape(row.what)}</text>')
        parts.append(f'<rect x="280" y="{top}" width="{value * scale:.1f}" height="18" fill="#4682b4"/>')
        parts.append(f'<text x="{284 + value * scale:.1f}" y="{top + 14}">{value:.2f}</text>')
        if row.goal is not None:
            x = 280 + min(row.goal, 1.0) * scale
            parts.append(
                f'<line x1="{x:.1f}" y1="{top - 2}" x2="{x:.1f}" y2="{top + 20}" stroke="#b22222" stroke-width="2"/>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"
