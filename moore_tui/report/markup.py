"""Pieces of an HTML page; whatever comes from a run goes through `text`, so that no name can become markup."""

from __future__ import annotations

import base64
import html
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Cell(NamedTuple):
    """A table's cell: what it says, and what limits or qualifies it in smaller type."""

    value: str
    more: str = ""


def text(value: object) -> str:
    """Anything as text of a page."""
    return html.escape(str(value), quote=True)


def paragraph(words: str, kind: str = "") -> str:
    return f"<p{_class(kind)}>{text(words)}</p>"


def listing(items: Iterable[str], kind: str = "") -> str:
    """A list; empty for no items."""
    found = "".join(f"<li>{text(item)}</li>" for item in items)
    return f"<ul{_class(kind)}>{found}</ul>" if found else ""


def terms(entries: Iterable[tuple[str, str]]) -> str:
    """Names with what they mean or are."""
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{text(what)}</dd>" for name, what in entries) + "</dl>"


def table(
    key: str, title: str, note: str, header: Sequence[str], rows: Sequence[Sequence[Cell | str]], headings: int = 1
) -> str:
    """A table under a heading and a note; `key` is unique on the page.

    The first column heads the rows, the next `headings` - 1 are text too, the others are numbers. It scrolls sideways
    by itself, by keyboard too, where the page is narrow.
    """
    head = "".join(f'<th scope="col"{_class("" if place < headings else "n")}>{text(name)}</th>'
                   for place, name in enumerate(header))  # fmt: skip
    body = "".join(f"<tr>{''.join(_cell(cell, place, headings) for place, cell in enumerate(row))}</tr>\n"
                   for row in rows)  # fmt: skip
    return (
        f'<h3 id="{text(key)}">{text(title)}</h3><p class="soft" id="{text(key)}-note">{text(note)}</p>\n'
        f'<div class="wide" tabindex="0" role="region" aria-labelledby="{text(key)}">\n'
        f'<table aria-labelledby="{text(key)}" aria-describedby="{text(key)}-note">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>\n</div>"
    )


def figure(title: str, caption: str, png: bytes, key: str) -> str:
    """An image, two of its pixels to one of the page, with its caption, which is also what a screen reader says."""
    data = base64.b64encode(png).decode()
    width, height = (pixels // 2 for pixels in struct.unpack(">II", png[16:24]))
    return (
        f'<figure id="{text(key)}"><img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{text(title)}. {text(caption)}">'
        f"<figcaption><strong>{text(title)}.</strong> {text(caption)}</figcaption></figure>"
    )


def page(title: str, body: str) -> str:
    """A whole document that loads nothing: its policy forbids it even to markup that slipped in."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _cell(cell: Cell | str, place: int, headings: int) -> str:
    cell = cell if isinstance(cell, Cell) else Cell(cell)
    inner = text(cell.value) + (f" <small>{text(cell.more)}</small>" if cell.more else "")
    if place == 0:
        return f'<th scope="row">{inner}</th>'
    return f"<td{_class('' if place < headings else 'n')}>{inner}</td>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


STYLE = """
:root { --ink: #1c2128; --soft: #57606a; --line: #d0d7de; --paper: #ffffff; --mark: #fff8c5; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #3d444d; --paper: #14181d; --mark: #3a3116; }
}
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1.25rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.3rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin: 1.8rem 0 0; } h3 + p { margin: .2rem 0 0; }
p, dd, li, figcaption { max-width: 62rem; }
small, .soft { color: var(--soft); font-size: .88em; }
.notes { background: var(--mark); border-left: .25rem solid #bf8700; padding: .6rem 1rem .6rem 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1.5rem 0; } figcaption { margin-top: .4rem; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line); border-radius: .3rem; }
.wide { overflow-x: auto; margin: .5rem 0 1.5rem; } .wide:focus-visible { outline: 2px solid #0969da; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: baseline; }
thead th { border-bottom: 2px solid var(--soft); } th.n, td.n { text-align: right; } td.n { white-space: nowrap; }
tbody th { font-weight: 500; } .wide small { white-space: nowrap; }
@media (max-width: 40rem) { dl { display: block; } }
@media print {
  :root { --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --mark: #fff; }
  body { margin: 0; max-width: none; font-size: 10pt; }
  nav { display: none; } figure, tr, dl, .notes { break-inside: avoid; } h2, h3, h3 + p { break-after: avoid; }
  thead { display: table-header-group; } .wide { overflow: visible; } table { font-size: 8pt; }
  th, td { padding: .15rem .4rem; }
}
"""
