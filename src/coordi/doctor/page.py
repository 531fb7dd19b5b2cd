"""An audit as one HTML file that needs nothing else: text, tables, and pictures as thumbnails."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from coordi.artifacts import write_atomically
from coordi.data.images import decode_image, read_bytes, thumbnail
from coordi.doctor.findings import SEVERITIES, Audit, Exhibit, Figures, Finding
from coordi.errors import ImageError
from coordi.types import ImageRef

SIDE = 112
"""Longest side of a thumbnail, in pixels."""
OPEN = 6
"""Exhibits that are seen at once; the rest is behind a click."""
EXHIBITS = 24
PICTURES = 48
"""Most exhibits of a finding, and pictures at once."""

_STYLE = """
:root { color-scheme: light dark;
  --paper: #fdfdfb; --raised: #fff; --tile: #f1f1ed; --line: #dedfd9; --ink: #14171f;
  --muted: #5b616d; --error: #a3202f; --error-wash: #fbeaec; --warning: #8a5200;
  --warning-wash: #fbf1e0; --note: #27368f; --note-wash: #e9ecf8; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #11131a; --raised: #191c25; --tile: #1e212b; --line: #3a3f4d; --ink: #eeede8;
  --muted: #a5a9b4; --error: #ff9aa5; --error-wash: #3a1c22; --warning: #e8b468;
  --warning-wash: #372a14; --note: #aebaff; --note-wash: #232846; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px clamp(16px, 4vw, 48px) 64px; max-width: 1120px;
  background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
h1, h2 { line-height: 1.2; text-wrap: balance; }
h1 { font-weight: 400;
  font-family: Didot, "Bodoni 72", "Noto Serif Display", Georgia, "Liberation Serif", serif; }
h1 { font-size: clamp(26px, 5vw, 40px); margin: 0 0 4px; }
h2 { font-size: 20px; margin: 48px 0 12px; }
h3 { font-size: 16px; font-weight: 600; line-height: 1.4; margin: 0; }
p { margin: 4px 0; }
.muted, figcaption, .table p { color: var(--muted); }
.counts { display: flex; flex-wrap: wrap; gap: 8px; margin: 16px 0 0; padding: 0;
  list-style: none; }
.tag { display: inline-block; padding: 1px 10px; border-radius: 999px; font-size: 13px;
  font-weight: 600; white-space: nowrap; }
.error { color: var(--error); background: var(--error-wash); }
.warning { color: var(--warning); background: var(--warning-wash); }
.note { color: var(--note); background: var(--note-wash); }
article { margin: 0 0 16px; padding: 16px clamp(12px, 2vw, 20px); background: var(--raised);
  border: 1px solid var(--line); border-radius: 10px; }
article header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 10px;
  margin-bottom: 4px; }
article h3 { flex: 1 1 260px; }
.sheet { display: flex; flex-wrap: wrap; gap: 12px; margin-top: 12px; }
figure { margin: 0; padding: 8px; background: var(--tile); border-radius: 8px; max-width: 100%; }
figure div { display: flex; flex-wrap: wrap; gap: 4px; }
figure img { display: block; height: 96px; width: auto; max-width: 112px; object-fit: contain;
  background: #fff; border-radius: 4px; }
figure img:first-child { outline: 2px solid var(--line); }
figcaption { font-size: 12.5px; line-height: 1.35; margin-top: 6px; max-width: 330px; }
ul.lines { margin: 8px 0 0; padding-left: 20px; font-size: 14px; }
.table { overflow-x: auto; margin: 0 0 28px; }
.table:focus-visible { outline: 2px solid var(--note); outline-offset: 2px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
caption { text-align: left; font-weight: 600; padding: 0 0 6px; }
th, td { padding: 5px 18px 5px 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: normal; }
th { font-weight: 600; color: var(--muted); white-space: nowrap; }
summary { cursor: pointer; margin-top: 12px; color: var(--muted); min-height: 24px; }
"""


def write_page(audit: Audit, path: Path) -> None:
    """Write the audit as one HTML file; it replaces an earlier one as a whole."""
    write_atomically(path, page(audit))


def page(audit: Audit) -> str:
    """The audit as an HTML document without a single outside reference."""
    thumbs = _Thumbnails(audit)
    findings = "".join(_finding(finding, thumbs) for finding in audit.findings)
    tables = "".join(map(_table, audit.figures))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(Path(audit.name).name)}: audit</title><style>{_STYLE}</style></head><body>
<header><h1>{escape(Path(audit.name).name)}</h1>
<p class="muted">{escape(audit.kind)} · {escape(audit.name)} · {_facts(audit.facts)}</p>
<ul class="counts">{_counts(audit)}</ul></header>
<main><h2>Findings</h2>{findings or "<p>Nothing was found.</p>"}
<h2>Figures</h2>{tables or "<p>None.</p>"}
<h2>Other checks</h2>{_others(audit)}</main></body></html>
"""


class _Thumbnails:
    """Small pictures as data URLs, each made once."""

    def __init__(self, audit: Audit) -> None:
        self._refs, self._captions = audit.pictures, audit.captions
        self._made: dict[int, str] = {}

    def tag(self, row: int) -> str:
        """An <img> element of a row's picture, "" where it cannot be read."""
        ref = self._refs.get(row)
        if ref is None:
            return ""
        if row not in self._made:
            self._made[row] = _data_url(ref)
        name = escape(self._captions.get(row, ""))
        url = self._made[row]
        return f'<img src="{url}" alt="{name}" title="{name}">' if url else ""


def _data_url(ref: ImageRef) -> str:
    try:
        small = thumbnail(decode_image(read_bytes(ref), target=SIDE), SIDE)
    except ImageError:
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(small).decode()


def _facts(facts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {escape(what)}" for what, count in facts.items())


def _counts(audit: Audit) -> str:
    found = {s: sum(f.severity == s for f in audit.findings) for s in SEVERITIES}
    items = (
        f'<li class="tag {severity}">{count} {severity}{"" if count == 1 else "s"}</li>'
        for severity, count in found.items()
        if count
    )
    return "".join(items) or '<li class="tag note">clean</li>'


def _finding(finding: Finding, thumbs: _Thumbnails) -> str:
    of = f"{finding.count:,} of {finding.total:,}"
    return (
        f'<article><header><span class="tag {finding.severity}">{finding.severity}</span>'
        f"<h3>{escape(finding.title)}</h3>"
        f'<span class="muted">{escape(finding.check)} · {of}</span></header>'
        f"<p>{escape(finding.advice)}</p>{_examples(finding.exhibits, thumbs)}</article>"
    )


def _examples(exhibits: Sequence[Exhibit], thumbs: _Thumbnails) -> str:
    shown, rest = exhibits[:OPEN], exhibits[OPEN:EXHIBITS]
    if not rest:
        return _exhibits(shown, thumbs)
    more = (
        f"<details><summary>{len(rest)} more examples</summary>{_exhibits(rest, thumbs)}</details>"
    )
    return _exhibits(shown, thumbs) + more


def _exhibits(exhibits: Iterable[Exhibit], thumbs: _Thumbnails) -> str:
    sheet, lines, left = [], [], PICTURES
    for exhibit in exhibits:
        pictures = [tag for row in exhibit.rows[:left] if (tag := thumbs.tag(row))]
        left -= len(pictures)
        text = escape(exhibit.text)
        if pictures:
            caption = f"<figcaption>{text}</figcaption>"
            sheet.append(f"<figure><div>{''.join(pictures)}</div>{caption}</figure>")
        else:
            lines.append(f"<li>{text}</li>")
    html = f'<div class="sheet">{"".join(sheet)}</div>' if sheet else ""
    return html + (f'<ul class="lines">{"".join(lines)}</ul>' if lines else "")


def _table(figures: Figures) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in figures.headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in figures.rows
    )
    title = escape(figures.title)
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{title}">'
        f"<table><caption>{title}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><p>{escape(figures.note)}</p></div>"
    )


def _others(audit: Audit) -> str:
    clean = escape(", ".join(audit.clean)) or "none"
    skipped = "".join(
        f"<li>{escape(name)}: {escape(why)}</li>" for name, why in audit.skipped.items()
    )
    return f"<p>Nothing found by: {clean}.</p>" + (
        f'<p>Not run:</p><ul class="lines">{skipped}</ul>' if skipped else ""
    )
