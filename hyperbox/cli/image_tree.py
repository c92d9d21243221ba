"""`docker image ls --tree`: images with the platforms below them."""

from __future__ import annotations

from hyperbox.cli.container_list import number, words
from hyperbox.cli.output import short_id
from hyperbox.go.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Json = dict[str, object]

TITLES = ("IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA")
GAP = 3
WIDTH = 80
BOLD, RESET = "\x1b[39m\x1b[1m", "\x1b[0m"
LEGEND = "Info ->  U In Use "


def tree(images: Sequence[Json], *, colour: bool) -> str:
    """Return the whole view: a legend, the titles, and a block a image, its last name on the line with the figures."""
    named = [image for image in images if words(image, "RepoTags") or words(image, "RepoDigests")]
    images = sorted(named, key=lambda image: -number(image, "Created"))
    rows = [_row(image) for image in images]
    names = [name for image in images for name in names_of(image)]
    first = max([len(TITLES[0]), *(len(name) for name in names)])
    widths = [first, 12, *(max(len(title), *(len(row[place]) for row in rows), 0) for place, title in _sizes(rows))]
    lines = [LEGEND.rjust(WIDTH), ""]
    lines.append(_titles(widths, colour=colour))
    for image, row in zip(images, rows, strict=True):
        *others, last = names_of(image)
        lines.extend(others)
        disk, content = row[2].rjust(widths[2]), row[3].rjust(widths[3])
        space = " " * GAP
        lines.append(f"{last.ljust(first)}{space}{row[1].ljust(12)}{space}{disk}{space}{content}{space}{row[4]}")
    return "\n".join(lines) + "\n"


def _sizes(rows: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    return [(2, TITLES[2]), (3, TITLES[3])] if rows else [(2, TITLES[2])][:0]


def _titles(widths: Sequence[int], *, colour: bool) -> str:
    cells = []
    for place, title in enumerate(TITLES):
        shown = f"{BOLD}{title}{RESET}" if colour else title
        wide = widths[place] if place < len(widths) else len(title)
        cells.append(shown + " " * (max(wide, len(title)) - len(title) if place < len(TITLES) - 1 else 0))
    return (" " * GAP).join(cells)


def names_of(image: Json) -> list[str]:
    """Return an image's tags, or the one name of an untagged one; long ones first, as docker has them."""
    return sorted(words(image, "RepoTags"), key=len, reverse=True) or ["<untagged>"]


def _row(image: Json) -> tuple[str, str, str, str, str]:
    in_use = "U    " if number(image, "Containers") > 0 else "     "
    return (
        names_of(image)[-1],
        short_id(str(image.get("Id") or "")),
        human_size(number(image, "Size")),
        human_size(number(image, "ContentSize")),
        in_use,
    )
