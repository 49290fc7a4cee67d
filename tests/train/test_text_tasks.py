"""SICK, SST and PTB: what their data become, that models learn them, and that runs resume to the same bits."""

from __future__ import annotations

import itertools
import math
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from celldsl.train import Settings, TrainError, load_model, train
from celldsl.train.recipes import NO_NOISE
from celldsl.train.rng import generator
from celldsl.train.statistics import pearson, spearman
from celldsl.train.tasks import make_task
from celldsl.train.tasks.ptb import chunks
from celldsl.train.tasks.sick import spread
from celldsl.train.tasks.sst import phrases
from celldsl.train.text import tokens
from tests.train.helpers import quick
from tests.train.text_sets import resumes, write

SIZES = {"train": 120, "validation": 40, "test": 40}
WORDS = ["the", "a", "man", "dog", "Girl", "runs", "sleeps", "sees", "near", "far"]
real = pytest.mark.skipif("CELLDSL_DATA" not in os.environ, reason="set CELLDSL_DATA to a folder with the real sets")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("data")
    write_all(root, random.Random(3))
    return str(root)


def write_all(root: Path, chance: random.Random) -> None:
    for part, size in SIZES.items():
        pairs = []
        for _ in range(size):
            one = [chance.choice(WORDS) for _ in range(chance.randint(2, 7))]
            same = chance.random() < 0.5
            pairs.append((" ".join(one), " ".join(one if same else chance.sample(WORDS, 4)), 4.7 if same else 1.4))
        columns = zip(("sentence_A", "sentence_B", "relatedness_score"), zip(*pairs, strict=True), strict=True)
        write(root, "sick", part, {name: list(values) for name, values in columns})
        write(root, "sst", part, {"tree": [_tree(chance) for _ in range(size)]})
        text = itertools.cycle(["a b c d <unk>", "b c d", "N a"])
        write(root, "ptb", part, {"sentence": list(itertools.islice(text, size))})


def _tree(chance: random.Random) -> str:
    """`(4 (2 It) (4 (2 very) (4 good)))`: the last word decides."""
    word, label = chance.choice([("bad", 0), ("weak", 1), ("so-so", 2), ("nice", 3), ("good", 4)])
    tree = f"({label} {word})"
    for _ in range(chance.randint(1, 4)):
        tree = f"({label} (2 {chance.choice(WORDS)}) {tree})"
    return tree


def run(task: str, folder: str, options: dict[str, Any] | None = None, **changes: Any) -> Settings:
    small = {
        "sick": {"embedding": 8, "compare": 6},
        "sst": {"embedding": 8},
        "ptb": {"embedding": 8, "bptt": 7, "validation_rows": 3},
    }[task]
    rest = {"train_limit": None, "test_limit": None, "batch": 8, "epochs": 2, **changes}
    return quick(task=task, data_dir=folder, task_options={**small, **(options or {})}, **rest)


GAO_OATES_SICK = {"optimiser": "adagrad", "lr": 0.03, "weight_decay": 1e-4, "reduction": "sum"}


# --- SICK ----------------------------------------------------------------------------------


def test_words_are_cut_at_marks() -> None:
    assert tokens("A man isn't riding the dog's well-made bike.") == [
        "A", "man", "is", "n't", "riding", "the", "dog", "'s", "well-made", "bike", ".",
    ]  # fmt: skip


def test_a_score_is_spread_over_its_neighbours() -> None:
    score = torch.tensor([1.0, 3.6, 4.0, 5.0], dtype=torch.float64)
    target = spread(score)
    assert torch.allclose(target[1], torch.tensor([0, 0, 0.4, 0.6, 0], dtype=torch.float64))
    assert torch.equal(target.argmax(1), torch.tensor([0, 3, 3, 4]))
    assert torch.allclose(target @ torch.arange(1.0, 6.0, dtype=torch.float64), score)
    assert torch.allclose(target.sum(1), torch.ones(4, dtype=torch.float64))


def test_correlations_are_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    one = torch.randint(0, 5, (50,), generator=generator(1)).double()
    other = one + 2 * torch.randn(50, generator=generator(2)).double()
    assert pearson(one, other) == pytest.approx(stats.pearsonr(one, other)[0], rel=1e-12)
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other)[0], rel=1e-12)
    assert pearson(one, torch.ones(50).double()) == 0.0


def test_sick_reads_both_sentences_to_their_ends(folder: str) -> None:
    task = make_task("sick", {"embedding": 8})
    data = task.load(folder)
    batch = data.train.take(torch.tensor([3, 0]))
    assert batch["input"].shape[:2] == batch["lengths"].shape == (2, 2)
    assert torch.equal((batch["input"] > 0).sum(-1), batch["lengths"])
    from celldsl.train.cells import find_cell

    for directions in (False, True):
        model = task.model(find_cell(quick(bidirectional=directions)).layer, data.facts).eval()
        together = task.score(model, batch)
        alone = [task.score(model, data.train.take(torch.tensor([row]))).values["given"] for row in (3, 0)]
        assert torch.allclose(together.values["given"], torch.cat(alone), atol=1e-6)
    kl = make_task("sick", {"embedding": 8, "kl": "sum"}).score(model, batch)
    assert torch.allclose(kl.loss, 5 * together.loss)


def test_sick_is_learnt(folder: str) -> None:
    result = train(run("sick", folder, epochs=8, **{**GAO_OATES_SICK, "lr": 0.1}))
    assert result.monitor == "validation"
    assert result.best > 0.5
    assert result.rows[-1]["test"].keys() == {"loss", "pearson", "spearman", "mse"}
    assert result.data["vectors"] is None


def test_the_sum_of_losses_is_so_many_means(folder: str) -> None:
    """A step of SGD on the sum of 8 losses at rate η is one on their mean at 8 η."""
    one = train(run("sick", folder, optimiser="sgd", lr=0.01, reduction="sum", epochs=1))
    other = train(run("sick", folder, optimiser="sgd", lr=0.08, epochs=1))
    assert one.rows[0]["test"] == pytest.approx(other.rows[0]["test"], rel=1e-4)


@pytest.fixture
def vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    from celldsl.train import cached

    monkeypatch.setattr(cached, "folder", lambda: tmp_path)
    path = tmp_path / "glove.txt"
    path.write_text("the 1 2 3\n. . . 7 7 7\ndog -1 0.5 1e-1\n")
    return str(path)


def test_vectors_from_a_file_stay_and_are_reported(folder: str, vectors: str, tmp_path: Path) -> None:
    settings = run("sick", folder, {"vectors": vectors}, out=str(tmp_path / "run"), epochs=1, **GAO_OATES_SICK)
    result = train(settings)
    known, unknown = result.data["vectors"]["known"], result.data["vectors"]["unknown"]
    assert result.data["vectors"]["file"] == "glove.txt"
    assert (known, known + unknown) == (2, len(WORDS))
    assert result.data["width"] == 3
    model, _ = load_model(tmp_path / "run" / "best.safetensors")
    data = make_task("sick", settings.task_options).load(folder)
    assert torch.equal(model.words.table, data.initial["words.table"]), "frozen"
    rows = model.words.table.detach().tolist()
    assert [1.0, 2.0, 3.0] in rows
    assert rows[0] == [0.0, 0.0, 0.0]

    train(run("sick", folder, {"vectors": vectors, "tune": True}, out=str(tmp_path / "tuned"), **GAO_OATES_SICK))
    tuned, _ = load_model(tmp_path / "tuned" / "best.safetensors")
    assert not torch.equal(tuned.words.table, model.words.table)


def test_broken_vectors_are_explained(folder: str, vectors: str) -> None:
    def load(file: str) -> None:
        make_task("sick", {"vectors": file}).load(folder)

    with pytest.raises(TrainError, match="there is no file '/nowhere'"):
        load("/nowhere")
    Path(vectors).write_text("the 1 2 3\ndog 1 x 3\n")
    with pytest.raises(TrainError, match="line 2: expected a word and 3 numbers"):
        load(vectors)
    Path(vectors).write_text("")
    with pytest.raises(TrainError, match="holds no vectors"):
        load(vectors)


# --- SST -----------------------------------------------------------------------------------


def test_phrases_of_a_tree() -> None:
    tree = "(3 (2 It) (4 (2 -LRB-) (3 (2 8\u00a01\\/2) (2 gr\\*\\*t))))"
    assert list(phrases(tree)) == [
        (2, ["It"]),
        (2, ["("]),
        (2, ["8\u00a01/2"]),
        (2, ["gr**t"]),
        (3, ["8\u00a01/2", "gr**t"]),
        (4, ["(", "8\u00a01/2", "gr**t"]),
        (3, ["It", "(", "8\u00a01/2", "gr**t"]),
    ]


def test_sst_classes_and_phrases(folder: str) -> None:
    five, two, more = (
        make_task("sst", options).load(folder) for options in ({}, {"classes": 2}, {"phrases": True, "classes": 2})
    )
    assert len(five.train) == SIZES["train"]
    assert len(two.train) == int((five.train.tensors["target"] != 2).sum())
    kept = five.train.tensors["target"][five.train.tensors["target"] != 2]
    assert torch.equal(two.train.tensors["target"], (kept > 2).long())
    assert len(more.train) > len(two.train)
    assert len(more.test) == len(two.test)


@pytest.mark.parametrize("cell", ["torch.nn.GRU", "lstm"])
def test_sst_is_learnt(folder: str, cell: str) -> None:
    calm = {"classes": 2, "alpha": 0.0, "beta": 0.0, "weight_drop": 0.2}
    result = train(run("sst", folder, calm, cell=cell, epochs=6, optimiser="adam", lr=0.02, bidirectional=True))
    assert result.best > 0.9


# --- PTB -----------------------------------------------------------------------------------


def test_a_text_is_read_in_rows() -> None:
    one, two = chunks(11, 2, 3)
    assert one.tolist() == [[0, 1, 2], [5, 6, 7]]
    assert two.tolist() == [[3, 4], [8, 9]]
    with pytest.raises(TrainError, match="3 words cannot be cut into 4 rows"):
        chunks(3, 4, 1)


def test_chunks_of_random_length_cover_the_text_and_scale_the_rate(folder: str) -> None:
    task = make_task("ptb", {"bptt": 20})
    data = task.load(folder)
    batches = task.batches(data.train, 4, generator(1))
    assert torch.equal(torch.cat(list(batches), dim=1), torch.arange(len(data.train) // 4 * 4).view(4, -1))
    lengths = {batch.shape[1] for batch in batches}
    assert len(lengths) > 2
    assert min(length for length in sorted(lengths)[1:]) >= 5
    assert [task.rate_scale(batch) for batch in batches] == [batch.shape[1] / 20 for batch in batches]
    batch = data.train.take(batches[1])
    assert torch.equal(batch["input"][:, 1:], batch["target"][:, :-1]), "the target is the next word"


@pytest.mark.parametrize("cell", ["torch.nn.LSTM", "torch.nn.GRU", "ulstm", "lstm2"])
def test_the_state_goes_from_chunk_to_chunk(folder: str, cell: str) -> None:
    """In evaluation the chunks of a text cost what the whole text costs."""
    from celldsl.train.cells import find_cell

    costs = []
    for bptt in (5, 1000):
        task = make_task("ptb", {"embedding": 8, "bptt": bptt, "validation_rows": 2})
        data = task.load(folder)
        torch.manual_seed(0)
        model = task.model(find_cell(quick(cell=cell, layers=2)).layer, data.facts).eval()
        carried: dict[str, torch.Tensor] = {}
        total = 0.0
        for index in task.eval_batches("validation", data.validation, None):
            scored = task.score(model, {**data.validation.take(index), **carried})
            carried, total = scored.carry, total + scored.values["nats"].sum().item()
        costs.append(total)
    assert costs[0] == pytest.approx(costs[1], rel=1e-5)


def test_a_text_that_repeats_itself_is_learnt(folder: str) -> None:
    result = train(run("ptb", folder, NO_NOISE, batch=2, epochs=8, optimiser="adam", lr=0.02, layers=2))
    assert not result.higher_is_better
    assert result.best < 2.0, "seven words; ten of eleven follow from the one before"
    for row in result.rows:
        assert math.log(row["test"]["perplexity"]) == pytest.approx(row["test"]["loss"])


def test_tied_layers_have_their_widths(folder: str) -> None:
    from celldsl.train.cells import find_cell

    task = make_task("ptb", {"embedding": 5})
    model = task.model(find_cell(quick(layers=3)).layer, {"words": 7})
    widths = [(each.layer.input_size, each.layer.hidden_size) for each in model.rnn.layers]
    assert widths == [(5, 12), (12, 12), (12, 5)]
    assert model.readout.weight is model.words.table
    with pytest.raises(TrainError, match="has seen the next word"):
        task.model(find_cell(quick(bidirectional=True)).layer, {"words": 7})
    with pytest.raises(TrainError, match="no matrix that multiplies a state"):
        task.model(find_cell(quick(cell="cell Own {\n  h_t = tanh(W x_t + u * h_{t-1})\n}\n")).layer, {"words": 7})


def test_every_parameter_from_one_range(folder: str) -> None:
    from celldsl.train.cells import find_cell

    model = make_task("ptb", {"uniform": 0.1, "tied": False}).model(find_cell(quick()).layer, {"words": 90})
    everything = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    assert everything.abs().max() <= 0.1
    assert everything.abs().mean() == pytest.approx(0.05, rel=0.05)


def test_words_outside_training_need_unk(folder: str, tmp_path: Path) -> None:
    for part in SIZES:
        write(tmp_path, "ptb", part, {"sentence": ["a b" if part == "train" else "a new"]})
    with pytest.raises(TrainError, match="ptb/validation: the word 'new' is not in train"):
        make_task("ptb", {}).load(str(tmp_path))


# --- all -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm1", "torch.nn.LSTM"])
@pytest.mark.parametrize("task", ["sick", "sst", "ptb"])
def test_runs_resume_to_the_same_bits(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, cell: str
) -> None:
    settings = {
        "sick": run("sick", folder, cell=cell, **GAO_OATES_SICK),
        "sst": run("sst", folder, cell=cell, optimiser="adam", layers=2),
        "ptb": run("ptb", folder, cell=cell, optimiser="nt-asgd", lr=1.0, clip=0.25, layers=2, batch=2),
    }[task]
    resumes(settings, tmp_path, monkeypatch)


@pytest.mark.slow
@real
def test_real_sick() -> None:
    data = make_task("sick", {}).load(os.environ["CELLDSL_DATA"])
    assert [len(part) for part in (data.train, data.validation, data.test)] == [4500, 500, 4927]
    assert 2300 < data.facts["words"] < 2500


@pytest.mark.slow
@real
def test_real_sst() -> None:
    data = make_task("sst", {"classes": 2}).load(os.environ["CELLDSL_DATA"])
    assert [len(part) for part in (data.train, data.validation, data.test)] == [6920, 872, 1821]
    data = make_task("sst", {"phrases": True}).load(os.environ["CELLDSL_DATA"])
    assert [len(part) for part in (data.train, data.validation, data.test)] == [318_582, 1101, 2210]


@pytest.mark.slow
@real
def test_real_ptb() -> None:
    data = make_task("ptb", {}).load(os.environ["CELLDSL_DATA"])
    assert [len(part) + 1 for part in (data.train, data.validation, data.test)] == [929_589, 73_760, 82_430]
    assert data.facts == {"words": 10_000}
