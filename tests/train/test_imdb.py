"""IMDB: Keras' word numbers, rows of one length, and a run that learns and resumes."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import torch

from celldsl.train import TrainError, train
from celldsl.train.tasks import make_task
from celldsl.train.tasks.imdb import encode, rank_words, split_words
from tests.train.helpers import quick
from tests.train.text_sets import resumes, write

GOOD, BAD, BOTH = "a good, fine film", "a bad dull film!", "it's the plot that I saw<br />twice"
SMALL = {"words": 30, "length": 12, "embedding": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    root, chance = tmp_path_factory.mktemp("data"), random.Random(1)
    for part, size in (("train", 200), ("test", 60)):
        labels = [int(row >= size // 2) for row in range(size)]
        texts = []
        for label in labels:
            words = f"{GOOD if label else BAD} {BOTH} {BOTH}".split()
            chance.shuffle(words)
            texts.append(" ".join(words[: chance.randint(3, 16)]))
        write(root, "imdb", part, {"text": texts, "label": labels})
    return str(root)


def test_keras_splits_at_all_but_the_apostrophe() -> None:
    assert split_words('It\'s "fine"<br />really?\tSo-so\n') == ["it's", "fine", "br", "really", "so", "so"]


def test_numbers_are_ranks_shifted_by_three() -> None:
    ranks = rank_words([["b", "a", "c", "a"], ["b", "a", "d"]])
    assert ranks == {"a": 1, "b": 2, "c": 3, "d": 4}
    review = ["a", "d", "new", "b", "c"]
    assert encode(review, ranks, 7, 10, "pre") == [1, 4, 2, 5, 6], "d + 3 is not below 7: rare; `new` is left out"
    assert encode(review, ranks, 7, 4, "pre") == [4, 2, 5, 6], "the last four, without the start"
    assert encode(review, ranks, 7, 5, "pre") == [1, 4, 2, 5, 6]
    assert encode(review, ranks, 7, 4, "post") == [1, 4, 2, 5]
    assert encode([], ranks, 7, 4, "post") == encode([], ranks, 7, 4, "pre") == [1]


def test_padding_stands_where_it_is_asked_for(folder: str) -> None:
    front = make_task("imdb", SMALL).load(folder).train.tensors["input"]
    behind = make_task("imdb", {**SMALL, "padding": "post"}).load(folder).train.tensors["input"]
    masked = make_task("imdb", {**SMALL, "masking": True}).load(folder).train.tensors
    assert torch.equal((front == 0).sum(1), (behind == 0).sum(1))
    assert (front[:, 0] == 0).any()
    assert (behind[:, 0] != 0).all()
    assert torch.equal(masked["input"], behind)
    assert torch.equal(masked["lengths"], (behind != 0).sum(1))
    for one, other in zip(front, behind, strict=True):
        assert torch.equal(one[one != 0], other[other != 0])


def test_the_first_so_many_are_of_both_kinds(folder: str) -> None:
    """The set itself is sorted by label."""
    first = make_task("imdb", SMALL).load(folder).train.first(60).tensors["target"]
    assert 0.3 < first.mean().item() < 0.7


def test_masking_spends_no_step_on_padding(folder: str) -> None:
    task = make_task("imdb", {**SMALL, "masking": True})
    for directions in (False, True):
        from celldsl.train.cells import find_cell

        model = task.model(find_cell(quick(cell="gru", bidirectional=directions)).layer, {}).eval()
        batch = task.load(folder).test.first(9).tensors
        together = model(batch["input"], batch["lengths"])
        for row, length in enumerate(batch["lengths"].tolist()):
            alone = model(batch["input"][row : row + 1, :length])
            torch.testing.assert_close(together[row : row + 1], alone, atol=1e-6, rtol=1e-5)


def test_what_is_encoded_is_kept_and_remade_if_damaged(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from celldsl.train import cached
    from celldsl.train.tasks import imdb

    monkeypatch.setattr(cached, "folder", lambda: tmp_path)
    calls = []
    monkeypatch.setattr(imdb, "rank_words", lambda reviews: calls.append(1) or rank_words(reviews))

    def load() -> torch.Tensor:
        imdb._load.cache_clear()
        return make_task("imdb", SMALL).load(folder).test.tensors["input"]

    first = load()
    assert torch.equal(load(), first)
    assert len(calls) == 1
    (kept,) = (tmp_path / "data").iterdir()
    kept.write_bytes(kept.read_bytes()[:-7])
    assert torch.equal(load(), first)
    assert len(calls) == 2
    imdb._load.cache_clear()


@pytest.mark.parametrize("cell", ["torch.nn.LSTM", "lstm2"])
def test_reviews_are_learnt(folder: str, cell: str) -> None:
    result = train(
        quick(cell=cell, task="imdb", task_options=SMALL, data_dir=folder, train_limit=None, lr=0.01, epochs=4)
    )
    assert result.best > 0.75
    assert result.metric == "accuracy"


def test_a_run_resumes_to_the_same_bits(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = quick(cell="lstm3", task="imdb", task_options=SMALL, data_dir=folder, train_limit=None)
    resumes(settings, tmp_path, monkeypatch)


def test_mistakes_are_explained(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="padding must be pre or post, not 'front'"):
        make_task("imdb", {"padding": "front"})
    with pytest.raises(TrainError, match=r"imdb.train\.parquet is missing"):
        make_task("imdb", {}).load(str(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif("CELLDSL_DATA" not in os.environ, reason="set CELLDSL_DATA to a folder with the real data sets")
def test_real_imdb() -> None:
    """Ranks of Keras' first sample, and the number of word types."""
    from celldsl.train.sets import read_table

    texts = read_table("imdb", "train", os.environ["CELLDSL_DATA"], ("text",))["text"].to_pylist()
    ranks = rank_words(map(split_words, texts))
    assert len(ranks) == 88_582
    known = {"this": 11, "film": 19, "was": 13, "just": 40, "scenery": 1382, "story": 62, "played": 253}
    assert {word: ranks[word] for word in known} == known
    train_rows = make_task("imdb", {}).load(os.environ["CELLDSL_DATA"]).train.tensors["input"]
    assert train_rows.shape == (25_000, 80)
    assert train_rows.max() == 19_999
