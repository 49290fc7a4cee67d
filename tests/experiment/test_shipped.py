"""Every shipped experiment at its scale `smoke`: on little made-up sets, and (slow) on the real ones."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from celldsl.experiment import find, run, shipped
from celldsl.experiment.scale import scaled
from tests.train.test_tasks import write_mnist
from tests.train.text_sets import write

SIZES = {"train": 150, "validation": 60, "test": 60}
WORDS = "the a film wall good bad man dog plays runs never quite , . and of in it is was seen long".split()  # noqa: SIM905


@pytest.fixture(scope="session", params=["made-up", pytest.param("real", marks=pytest.mark.slow)])
def data(request, tmp_path_factory) -> Path:
    """The folder of all sets."""
    if request.param == "real":
        if "CELLDSL_DATA" not in os.environ:
            pytest.skip("needs the data sets: set CELLDSL_DATA")
        return Path(os.environ["CELLDSL_DATA"])
    root = tmp_path_factory.mktemp("data")
    chance = random.Random(0)

    def sentence() -> str:
        return " ".join(chance.choices(WORDS, k=chance.randint(3, 12)))

    def tree(words: list[str]) -> str:
        label = chance.randrange(5)
        if len(words) == 1:
            return f"({label} {words[0]})"
        at = chance.randrange(1, len(words))
        return f"({label} {tree(words[:at])} {tree(words[at:])})"

    for part, size in SIZES.items():
        if part != "validation":
            write_mnist(root, part, size)
            write(
                root, "imdb", part, {"text": [sentence() for _ in range(size)], "label": [n % 2 for n in range(size)]}
            )
        scores = [1 + 4 * chance.random() for _ in range(size)]
        pairs = {name: [sentence() for _ in range(size)] for name in ("sentence_A", "sentence_B")}
        write(root, "sick", part, {**pairs, "relatedness_score": scores})
        write(root, "sst", part, {"tree": [tree(sentence().split()) for _ in range(size)]})
        write(root, "ptb", part, {"sentence": [*(sentence() for _ in range(4 * size)), " ".join(WORDS), "<unk>"]})
    return root


@pytest.mark.parametrize("name", shipped())
def test_smoke(name, data, tmp_path):
    experiment = scaled(find(name), "smoke")
    report = run(experiment, tmp_path / "out", machine={"device": "cpu", "data_dir": str(data)})
    assert report.points == {"finished": len(experiment.points())}, [
        run.reason for g in report.groups for run in g.runs
    ]
    for group in report.groups:
        assert group.spread(report.metric) is not None
        assert group.published == find(name).paper_value(group.axes)
    page = (tmp_path / "out" / "report.html").read_text()
    text = (tmp_path / "out" / "report.md").read_text()
    for reduction in report.reduced:
        assert reduction in text
        assert reduction in page
