"""The page shows the comparison, needs nothing from elsewhere, and keeps users' text text."""

import re
from html import unescape

from nmt.comparison.measure import compare
from nmt.comparison.page import comparison_page
from nmt.comparison.results import Comparison, ParallelText, System
from nmt.comparison.runs import Run, Training


def visible(page: str) -> str:
    return unescape(re.sub("<[^>]*>", "\n", page.split("</style>")[1]))


def test_every_figure_and_note_is_there(comparison: Comparison) -> None:
    text = visible(comparison_page(comparison))
    for header, rows in (comparison.summary(),):
        for cell in (*header, *(cell for row in rows for cell in row)):
            assert cell in text
    for note in comparison.notes():
        assert note in text
    for differences in comparison.differences:
        for one in (*differences.gains, *differences.losses):
            for line in (one.source, one.reference, one.baseline, one.translation):
                assert line in text


def test_users_text_does_not_become_markup_and_nothing_is_fetched(comparison: Comparison) -> None:
    page = comparison_page(comparison)
    assert "<script" not in page and "<b>" not in page
    assert "&lt;script&gt;alert('x')&lt;/script&gt;" in page
    assert not re.search(r"https?:|\bsrc=|\bhref=|url\(|@import", page)


def test_charts_show_what_there_is(comparison: Comparison) -> None:
    page = comparison_page(comparison)
    assert page.count('class="chart"') == 4
    # Two runs have two validations each, of which 100 of 200 steps took 45 of 90 seconds.
    assert page.count("20.50 at 0.8") == page.count("20.50 at 100.0") == 2


def test_without_records_of_training_there_is_no_chart_of_it(comparison: Comparison, test_set: ParallelText) -> None:
    system = comparison.results[0].system
    bare = System(Run("bare", system.run.model, Training()), 1, {}, system.translations, 1.0)
    page = comparison_page(compare([bare], test_set, comparison.conditions))
    assert page.count('class="chart"') == 2
    assert "<h2>Training</h2>" not in page
    assert "<h1>Comparison of bare</h1>" in page
