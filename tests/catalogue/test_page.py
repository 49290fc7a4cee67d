"""The catalogue as a page, and what it is made of: pictures of a step, and equations in MathML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest

import celldsl
from celldsl.catalogue import entry, flow, mathml
from celldsl.catalogue.page import render
from celldsl.cli.main import main

SOME = ["lstm", "lstm1", "lstm3", "mogrifier_lstm_2", "qrnn_fo", "darts_rnn", "phased_lstm", "tau_gru"]

SHIPPED = [name if name in SOME else pytest.param(name, marks=pytest.mark.slow) for name in celldsl.zoo()]


class Links(HTMLParser):
    """Every id of a page, and every place that it refers to."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.outside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids.add(given.get("id", ""))
        if given.get("href", "").startswith("#"):
            self.targets.add(given["href"][1:])
        self.outside += [given[key] for key in ("src", "href") if given.get(key) and not given[key].startswith("#")]


@pytest.fixture(scope="module")
def page():
    return render([entry(name, celldsl.compile(name)) for name in SOME])


def test_page_stands_by_itself(page):
    links = Links(page)
    assert set(SOME) <= links.ids
    assert links.targets - {""} <= links.ids
    assert links.outside == []
    assert "http" not in re.sub(r"<math.*?</math>|https?://\S+(?=[^<]*</p>)", "", page)


def test_page_says_what_a_cell_changes_in_its_parent(page):
    section = page[page.index('id="lstm1"') :]
    section = section[: section.index("</section>")]
    assert "− W_i x_t" in section
    assert 'href="#lstm"' in section
    assert "(7)" in section


@pytest.mark.parametrize("name", SHIPPED)
def test_equations_are_well_formed(name):
    for each in celldsl.compile(name).checked.equations:
        ElementTree.fromstring(mathml.equation(each.written))


def test_page_writes_out_a_cells_own_functions():
    section = render([entry("cfc", celldsl.compile("cfc"))])
    shown = re.search(r"where (<math>.*?</math>)", section)
    assert shown
    assert (
        "".join(ElementTree.fromstring(shown[1].replace("&#8289;", "")).itertext())
        == "lecun_tanh(v)=1.7159tanh(0.666v)"
    )
    assert "k×(m + n)" in section


def test_mathml_keeps_brackets_and_accents():
    cell = celldsl.compile("cell A { h_t = (1 - a) (U (h_{t-1} + c̃_t)) ; c̃_t = x_t / 2 ; hyper a = 1 }").checked
    h = cell.equation["h"]
    text = "".join(ElementTree.fromstring(mathml.equation(h.written)).itertext())
    assert re.sub(r"\s", "", text) == "ht=(1−a)(U(ht−1+c~t))"


@pytest.mark.parametrize("name", SHIPPED)
def test_picture_leads_from_left_to_right_and_nothing_overlaps(name):
    cell = celldsl.compile(name).checked
    picture = flow.flow(cell)
    for path in picture.paths:
        assert [node.layer for node in path] == list(range(path[0].layer, path[-1].layer + 1))
    for row in picture.layers:
        for one, other in pairwise(row):
            assert other.at - one.at >= (flow.HEIGHT if one.kind else 1)
    boxes = {node.key for row in picture.layers for node in row if node.kind}
    assert {f"{equation.target}@0" for equation in cell.steps} <= boxes
    ElementTree.fromstring(flow.svg(cell))


def test_picture_of_the_lstm():
    picture = flow.flow(celldsl.compile("lstm").checked)
    kinds = {node.key: node.kind for row in picture.layers for node in row if node.kind}
    assert kinds == {
        "x@0": "input",
        "h@1": "old",
        "c@1": "old",
        "i@0": "gate",
        "f@0": "gate",
        "o@0": "gate",
        "c@0": "state",
        "h@0": "output",
    }
    assert ("h@1", "i@0", True) in picture.edges
    assert ("c@1", "c@0", False) in picture.edges


def test_command_writes_the_page(tmp_path, capsys):
    target = tmp_path / "zoo.html"
    assert main(["zoo", "--family", "mgu", "--verify", "--html", str(target)]) == 0
    assert "holds" in target.read_text(encoding="utf-8")
    assert "zoo.html" in capsys.readouterr().out
