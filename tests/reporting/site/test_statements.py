"""Every page of the report states its result, and says it in place of its first image."""

import html
import re

import pytest

from mgsl import params, paths
from mgsl.reporting.site import contents
from tests import ROOT

EXHIBITS = [n for names in params.load(ROOT / paths.PARAMS).exhibits.values() for n in names]


@pytest.mark.parametrize("name", EXHIBITS)
def test_a_page_states_its_result_under_its_title(name: str) -> None:
    page = (ROOT / paths.EXHIBITS / f"{name}.html").read_text(encoding="utf-8")
    statement = contents.statement(page)
    assert re.search(r"\d", statement), statement
    assert re.search(r'</h1>\s*<p class="statement">', page)
    for alt in re.findall(r'<img alt="([^"]*)"', page)[:1]:
        assert html.unescape(alt) == statement
