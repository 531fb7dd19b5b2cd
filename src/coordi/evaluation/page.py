"""Reports as one HTML file that needs nothing else: tables, and queries with what they found."""

from collections.abc import Iterable, Sequence
from functools import cache

from coordi.data.images import data_url
from coordi.evaluation.report import Report, Slice
from coordi.evaluation.tables import (
    digits_of,
    name_of,
    notes_of,
    number,
    published_rows,
    terms_lines,
    title_of,
    value_text,
)
from coordi.pages import render
from coordi.types import Photo

SIDE = 112
"""Longest side of a thumbnail, in pixels."""
SLICES = 30
"""Most categories that a table shows."""


def page(reports: Sequence[Report], photos: Iterable[Photo]) -> str:
    """All systems on one benchmark as an HTML document without a single outside reference."""
    terms, metrics = reports[0].terms, list(reports[0].values)
    return render(
        "report.html",
        title=title_of(terms),
        reduced=terms.reduced,
        lines=terms_lines(reports),
        metrics=metrics,
        systems=[(name_of(r), r.control, _values(r, metrics)) for r in reports],
        published=published_rows(terms, metrics),
        groups=len(set(reports[0].groups)),
        notes=notes_of(reports),
        learned=[
            (
                name_of(report),
                report,
                [_slice_cells(part, list(report.values)) for part in report.slices[:SLICES]],
                max(0, len(report.slices) - SLICES),
            )
            for report in reports
            if not report.control
        ],
        most=max(reports, key=lambda report: report.missing + report.unusable),
        pictures=_Pictures(photos),
    )


class _Pictures:
    """Photos by id as small data URLs, each made once."""

    def __init__(self, photos: Iterable[Photo]) -> None:
        self.photos = {photo.id: photo for photo in photos}
        self.url = cache(self._url)

    def _url(self, id_: str) -> str:
        photo = self.photos.get(id_)
        return data_url(photo.image, SIDE, photo.box) if photo else ""

    def label(self, id_: str) -> str:
        """What is known of a photo, for its caption."""
        photo = self.photos.get(id_)
        return photo.category or photo.item if photo else id_


def _values(report: Report, metrics: Sequence[str]) -> list[tuple[str, str]]:
    """Each value and its interval."""
    texts = (value_text(report.values[name], name).partition(" ") for name in metrics)
    return [(value, span.strip("[]")) for value, _, span in texts]


def _slice_cells(part: Slice, names: Sequence[str]) -> list[str]:
    values = (number(part.values[name].value, digits_of(name)) for name in names)
    return [part.category or "unknown", f"{part.queries:,}", *values]
