"""Whatever a text holds, it stays text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.report.page.markup import Html, element, join, text
from tests.fakes.page_reader import read


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("plain", "plain"),
        ("<b>", "&lt;b&gt;"),
        ("a & b", "a &amp; b"),
        ("\"'", "&quot;&#x27;"),
        ("&lt;", "&amp;lt;"),
        ("a\nb\x00c\x1b[31m", "a b c [31m"),
        ("\u202eevil\u2066\u200b", " evil  "),
        ("\ud800", " "),
        ("päss 日本", "päss 日本"),
        (7, "7"),
    ],
)
def test_a_text_is_escaped(given_text: object, expected: str) -> None:
    assert text(given_text) == expected


def test_an_element_escapes_texts_and_attributes_and_keeps_elements() -> None:
    made = element("p", "<", element("b", "&"), None, attributes={"title": '"><script>'})
    assert made == '<p title="&quot;&gt;&lt;script&gt;">&lt;<b>&amp;</b></p>'
    assert element("meta", attributes={"charset": "utf-8"}) == '<meta charset="utf-8"/>'
    assert join("a<", Html("<i>x</i>"), None) == "a&lt;<i>x</i>"


@given(st.text(), st.text())
def test_no_text_makes_a_tag_or_an_attribute(inside: str, attribute: str) -> None:
    found = read(element("td", inside, attributes={"title": attribute}).encode())
    assert [(tag, set(given)) for tag, given in found.tags] == [("td", {"title"})]
