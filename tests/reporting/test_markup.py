"""Whatever a text holds, it is text in the page."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemotron.reporting.markup import Markup, element, markup
from reporting.html import read


@given(st.text(), st.text())
def test_any_text_is_text_and_any_value_stays_in_its_attribute(text: str, value: str) -> None:
    page = read(element("p", text, title=value))
    assert page.tags == ["p"]
    assert [name for name, _ in page.attributes] == ["title"]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"])))
def test_a_text_is_read_back_as_it_was(text: str) -> None:
    page = read(element("p", text, title=text))
    assert "".join(page.text) == text
    assert page.values("title") == [text]


@given(st.text())
def test_an_element_of_a_drawing_is_well_formed(text: str) -> None:
    drawing = element("svg", element("text", text), element("rect", x=1.0), class_=text)
    assert ElementTree.fromstring(drawing).tag == "svg"


def test_elements_go_in_as_they_are_and_nothing_else_does() -> None:
    inner = element("b", "<i>")
    assert element("p", inner, "&", [1, None, 2.5]) == "<p><b>&lt;i&gt;</b>&amp;12.5</p>"
    assert markup("<", Markup("<br>")) == "&lt;<br>"


@pytest.mark.parametrize(
    ("attributes", "written"),
    [
        ({"class_": "a"}, ' class="a"'),
        ({"aria_label": 'a "b"'}, ' aria-label="a &quot;b&quot;"'),
        ({"x": 1.25, "y": 3.0}, ' x="1.2" y="3"'),
        ({"viewbox": "0 0 1 1"}, ' viewBox="0 0 1 1"'),
        ({"open": True, "hidden": False, "title": None}, " open"),
    ],
)
def test_attributes_are_written_as_html_spells_them(attributes: dict[str, str], written: str) -> None:
    assert element("p", **attributes) == f"<p{written}></p>"
