"""An audit as one HTML file that needs nothing else: text, tables, and pictures as thumbnails."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

from coordi.artifacts import write_atomically
from coordi.data.images import data_url
from coordi.doctor.findings import SEVERITIES, Audit, Exhibit, Finding
from coordi.pages import render

SIDE = 112
"""Longest side of a thumbnail, in pixels."""
OPEN = 6
"""Exhibits that are seen at once; the rest is behind a click."""
EXHIBITS = 24
PICTURES = 48
"""Most exhibits of a finding, and pictures at once."""


def write_page(audit: Audit, path: Path) -> None:
    """Write the audit as one HTML file; it replaces an earlier one as a whole."""
    write_atomically(path, page(audit))


def page(audit: Audit) -> str:
    """The audit as an HTML document without a single outside reference."""
    return render(
        "audit.html",
        title=Path(audit.name).name,
        audit=audit,
        found={s: sum(f.severity == s for f in audit.findings) for s in SEVERITIES},
        examples=partial(_examples, cache(partial(_thumbnail, audit))),
    )


Shown = list[tuple[str, list[tuple[str, str]]]]
"""Exhibits: text, and (data URL, name) of each picture."""


def _thumbnail(audit: Audit, row: int) -> tuple[str, str] | None:
    """A row's picture as a data URL, with its name; None where it cannot be read."""
    ref = audit.pictures.get(row)
    url = data_url(ref, SIDE) if ref else ""
    return (url, audit.captions.get(row, "")) if url else None


def _examples(
    thumbnail: Callable[[int], tuple[str, str] | None], finding: Finding
) -> tuple[Shown, Shown]:
    """The exhibits of a finding that are seen at once, and those behind a click."""
    exhibits = finding.exhibits
    return _shown(exhibits[:OPEN], thumbnail), _shown(exhibits[OPEN:EXHIBITS], thumbnail)


def _shown(
    exhibits: Iterable[Exhibit], thumbnail: Callable[[int], tuple[str, str] | None]
) -> Shown:
    shown, left = [], PICTURES
    for exhibit in exhibits:
        pictures = [made for row in exhibit.rows[:left] if (made := thumbnail(row))]
        left -= len(pictures)
        shown.append((exhibit.text, pictures))
    return shown
