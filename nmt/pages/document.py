"""The page: a whole HTML5 document that fits a phone and a desk, by day and by night."""

from collections.abc import Sequence

from nmt.pages.charts import PALETTE_STYLE
from nmt.pages.html import Html, element, together

# The browser itself shall refuse whatever would need the network or run, should some text ever get past the escaping.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

# Only what stands in `.scroll` may be wider than the window.
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2127; --paper: #ffffff; --soft: #59626d; --line: #d3d8de; --panel: #f4f6f8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --paper: #14171b; --soft: #a0a9b4; --line: #3a424c; --panel: #1d2127 }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .75rem }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem }
p { max-width: 48rem }
.soft, figcaption { color: var(--soft); font-size: .875rem }
code { font-size: .875em }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
th { font-weight: 600; vertical-align: bottom }
th:first-child { text-align: left; padding-left: 0; white-space: normal; min-width: 9rem; max-width: 20rem }
figure { margin: 0; min-width: 0 }
.side-by-side { display: grid; gap: 1.5rem 2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)) }
.flowing { display: flex; flex-wrap: wrap; gap: .5rem 3rem } .flowing > * { max-width: 100%; min-width: 0 }
svg { display: block } .chart { width: 100%; max-width: 36rem; height: auto }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif } svg .soft { fill: var(--soft); font-size: 12px }
@media (max-width: 30rem) { .chart text, .chart .soft { font-size: 15px } }
.grid { stroke: var(--line) } .axis { stroke: var(--soft) }
.legend { display: flex; flex-wrap: wrap; gap: 0 1.25rem; margin: 0 0 .5rem; padding: 0; list-style: none; font-size: .875rem }
.legend svg { display: inline-block; vertical-align: middle; margin-right: .4rem }
dl { display: grid; grid-template-columns: fit-content(14rem) 1fr; gap: 0 1rem; margin: .75rem 0; padding: .5rem .75rem;
  background: var(--panel) }
dt { color: var(--soft); min-width: 0 } dd { margin: 0; min-width: 0 }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .25rem } }
summary { cursor: pointer; padding: .25rem 0 }
"""


def page(title: str, *body: str, style: str = "") -> str:
    """A whole HTML document with ``title`` as its heading. ``style`` has rules of CSS that come after those of all pages."""
    head = element(
        "head",
        None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        element("title", None, title),
        element("style", None, Html(_STYLE + PALETTE_STYLE + style)),
    )
    content = element("body", None, element("main", None, element("h1", None, title), *body))
    return f"<!DOCTYPE html>\n{element('html', {'lang': 'en'}, head, content)}\n"


def section(heading: str, *content: str) -> Html:
    """A part of the page under a heading of its own."""
    return element("section", None, element("h2", None, heading), *content)


def figure(caption: str, *content: str) -> Html:
    """A chart or a heat map with words below it; what is too wide scrolls."""
    return element("figure", None, scrolling(*content), element("figcaption", None, caption))


def side_by_side(*content: str) -> Html:
    """Figures in columns where there is room for them, else one below the other."""
    return element("div", {"class": "side-by-side"}, *content)


def flowing(*content: str) -> Html:
    """Figures beside each other, as many as fit, each as wide as it is."""
    return element("div", {"class": "flowing"}, *content)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table whose first column names the rows; the others are aligned right, for numbers. What is too wide scrolls."""
    columns = [element("th", {"scope": "col"}, cell) for cell in header]
    lines = [
        element("tr", None, element("th", {"scope": "row"}, name), *(element("td", None, cell) for cell in cells))
        for name, *cells in rows
    ]
    head = element("thead", None, element("tr", None, *columns))
    return scrolling(element("table", None, head, element("tbody", None, *lines)))


def labelled(items: Sequence[tuple[str, str]]) -> Html:
    """Texts of any length, each with its label: beside it where there is room, else above it."""
    pairs = [together(element("dt", None, label), element("dd", None, content)) for label, content in items]
    return element("dl", None, *pairs)


def sentence(text: str, language: str = "") -> Html:
    """A sentence, in its ``language`` if that is known: what a browser takes its direction and its characters from."""
    return element("span", ({"lang": language} if language else {}) | {"dir": "auto"}, text)


def scrolling(*content: str) -> Html:
    """A box that scrolls sideways by itself, also by the arrow keys."""
    return element("div", {"class": "scroll", "tabindex": "0"}, together(*content))
