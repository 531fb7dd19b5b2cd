"""Reports as one HTML file that needs nothing else: tables, and queries with what they found."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

from coordi.data.images import crop, decode_image, read_bytes, thumbnail
from coordi.errors import ImageError
from coordi.evaluation.report import FoundPhoto, Report, ShownQuery, Slice
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
from coordi.types import Photo

SIDE = 112
"""Longest side of a thumbnail, in pixels."""
SLICES = 30
"""Most categories that a table shows."""

_STYLE = """
:root { color-scheme: light dark;
  --paper: #fdfdfb; --raised: #fff; --tile: #f1f1ed; --line: #dedfd9; --ink: #14171f;
  --muted: #5b616d; --right: #1c7a43; --wrong: #b3303f; --accent: #27368f; --wash: #fbf1e0;
  --warning: #8a5200; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #11131a; --raised: #191c25; --tile: #1e212b; --line: #3a3f4d; --ink: #eeede8;
  --muted: #a5a9b4; --right: #63cf8e; --wrong: #ff9aa5; --accent: #aebaff; --wash: #372a14;
  --warning: #e8b468; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px clamp(16px, 4vw, 48px) 64px; max-width: 1240px;
  background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1, h2 { font-weight: 400; line-height: 1.2; text-wrap: balance;
  font-family: Didot, "Bodoni 72", "Noto Serif Display", Georgia, "Liberation Serif", serif; }
h1 { font-size: clamp(26px, 5vw, 40px); margin: 0 0 8px; }
h2 { font-size: 26px; margin: 48px 0 12px; }
h3 { font-size: 16px; margin: 24px 0 8px; }
p { margin: 4px 0; max-width: 80ch; }
.muted, figcaption, .place { color: var(--muted); }
.reduced { display: inline-block; padding: 4px 12px; border-radius: 8px; color: var(--warning);
  background: var(--wash); font-weight: 600; }
.table { overflow-x: auto; margin: 16px 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
th, td { padding: 6px 20px 6px 0; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--muted); }
th:first-child, td:first-child { text-align: left; }
tr.control td:first-child { font-style: italic; color: var(--muted); }
td small { display: block; color: var(--muted); font-size: 12px; }
details { margin: 12px 0; }
summary { cursor: pointer; font-weight: 600; padding: 6px 0; }
.example { display: flex; gap: 10px; padding: 10px; margin: 0 0 10px; background: var(--raised);
  border: 1px solid var(--line); border-radius: 10px; }
.asked { flex: none; width: 96px; padding-right: 10px; border-right: 1px dashed var(--line); }
.hits { display: flex; gap: 8px; min-width: 0; overflow-x: auto; }
figure { margin: 0; flex: none; width: 86px; }
figure .frame { display: grid; place-items: center; height: 104px; background: var(--tile);
  border-radius: 6px; border: 3px solid transparent; overflow: hidden; font-size: 12px; }
figure img { display: block; max-width: 100%; max-height: 100%; object-fit: contain; }
.right .frame { border-color: var(--right); }
.wrong .frame { border-color: var(--wrong); border-style: dashed; }
figcaption { font-size: 12px; line-height: 1.35; margin-top: 4px; }
.right b { color: var(--right); } .wrong b { color: var(--wrong); }
@media (max-width: 600px) { .example { gap: 8px; padding: 8px; } .asked { width: 84px; }
  figure { width: 76px; } figure .frame { height: 92px; } }
"""


def page(reports: Sequence[Report], photos: Iterable[Photo]) -> str:
    """All systems on one benchmark as an HTML document without a single outside reference."""
    terms = reports[0].terms
    pictures = _Pictures(photos)
    lines = "".join(f"<p>{escape(line)}</p>" for line in terms_lines(reports))
    reduced = '<p class="reduced">reduced</p>' if terms.reduced else ""
    systems = "".join(_system(report, pictures) for report in reports if not report.control)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title_of(terms))}</title><style>{_STYLE}</style></head><body>
<header><h1>{escape(title_of(terms))}</h1>{reduced}{lines}</header>
<main>{_overview(reports)}{systems}{_problems(reports)}</main></body></html>
"""


class _Pictures:
    """Photos by id as small data URLs, each made once."""

    def __init__(self, photos: Iterable[Photo]) -> None:
        self.photos = {photo.id: photo for photo in photos}
        self._made: dict[str, str] = {}

    def tag(self, id_: str) -> str:
        """A frame with the photo, or with words where it cannot be read."""
        if id_ not in self._made:
            self._made[id_] = _data_url(self.photos[id_]) if id_ in self.photos else ""
        url = self._made[id_]
        inside = f'<img src="{url}" alt="{escape(id_)}">' if url else "<span>no picture</span>"
        return f'<div class="frame">{inside}</div>'

    def label(self, id_: str) -> str:
        """What is known of a photo, for its caption."""
        photo = self.photos.get(id_)
        return escape(photo.category or photo.item if photo else id_)


def _data_url(photo: Photo) -> str:
    try:
        image = decode_image(read_bytes(photo.image), target=SIDE if photo.box is None else None)
        small = thumbnail(image if photo.box is None else crop(image, photo.box), SIDE)
    except ImageError:
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(small).decode()


def _overview(reports: Sequence[Report]) -> str:
    metrics = list(reports[0].values)
    rows = [_overview_row(report, metrics) for report in reports]
    for name, *cells in published_rows(reports[0].terms, metrics):
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(f'<td>{c}</td>' for c in cells)}</tr>")
    groups = len(set(reports[0].groups))
    return (
        _table(("system", *metrics), rows, "Systems and controls")
        + f'<p class="muted">Below each value its 95% interval, a bootstrap over {groups:,} query '
        "groups. Controls are in italics: a number means something only where it beats them.</p>"
        + "".join(f'<p class="muted">{escape(note)}</p>' for note in notes_of(reports))
    )


def _overview_row(report: Report, metrics: Sequence[str]) -> str:
    cells = "".join(_value_cell(value_text(report.values[name], name)) for name in metrics)
    kind = ' class="control"' if report.control else ""
    return f"<tr{kind}><td>{escape(name_of(report))}</td>{cells}</tr>"


def _value_cell(text: str) -> str:
    value, _, span = text.partition(" ")
    return f"<td>{value}<small>{span.strip('[]')}</small></td>"


def _table(headings: Sequence[str], rows: Iterable[str], name: str) -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(name)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _system(report: Report, pictures: _Pictures) -> str:
    return (
        f"<section><h2>{escape(name_of(report))}</h2>{_slices(report)}"
        f"<h3>Worst queries</h3>{_examples(report.worst, pictures)}"
        f"<h3>Best queries</h3>{_examples(report.best, pictures)}</section>"
    )


def _slices(report: Report) -> str:
    if not report.slices:
        return ""
    names = list(report.values)
    rows = [_slice_row(part, names) for part in report.slices[:SLICES]]
    hidden = len(report.slices) - len(rows)
    more = (
        f'<p class="muted">{hidden} smaller categories are in the JSON file.</p>' if hidden else ""
    )
    table = _table(("category", "queries", *names), rows, f"{name_of(report)} by category")
    return f"<details><summary>By category ({len(report.slices)})</summary>{table}{more}</details>"


def _slice_row(part: Slice, names: Sequence[str]) -> str:
    cells = "".join(
        f"<td>{number(part.values[name].value, digits_of(name))}</td>" for name in names
    )
    return f"<tr><td>{escape(part.category or 'unknown')}</td><td>{part.queries:,}</td>{cells}</tr>"


def _examples(examples: Sequence[ShownQuery], pictures: _Pictures) -> str:
    return "".join(_example(example, pictures) for example in examples)


def _example(example: ShownQuery, pictures: _Pictures) -> str:
    count = "the answer" if example.answers == 1 else f"first of {example.answers:,} answers"
    rank = f"{count} at rank {example.rank:,}" if example.rank else "no answer is ever found"
    hits = "".join(_hit(place, hit, pictures) for place, hit in enumerate(example.found, 1))
    return (
        f'<div class="example"><figure class="asked">{pictures.tag(example.photo)}'
        f"<figcaption>{pictures.label(example.photo)}: {rank}</figcaption></figure>"
        f'<div class="hits" tabindex="0" role="group" aria-label="what it found">{hits}</div></div>'
    )


def _hit(place: int, hit: FoundPhoto, pictures: _Pictures) -> str:
    kind, mark = ("right", "✓") if hit.right else ("wrong", "✗")
    return (
        f'<figure class="{kind}">{pictures.tag(hit.photo)}<figcaption><b>{mark}</b> {place}. '
        f"{pictures.label(hit.photo)} {hit.score:.2f}</figcaption></figure>"
    )


def _problems(reports: Sequence[Report]) -> str:
    most = max(reports, key=lambda report: report.missing + report.unusable)
    if not most.problems:
        return ""
    lines = "".join(f"<li>{escape(line)}</li>" for line in most.problems)
    hidden = most.missing + most.unusable - len(most.problems)
    more = f"<li>and {hidden:,} more</li>" if hidden > 0 else ""
    return (
        f"<details><summary>Missing or unreadable pictures ({most.missing:,}), rows that give no "
        f"photo ({most.unusable:,})</summary><ul>{lines}{more}</ul></details>"
    )
