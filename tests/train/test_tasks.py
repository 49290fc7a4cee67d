"""Every task's data: shapes, contents, and that it is the same at every call."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from celldsl.train import TrainError
from celldsl.train.images import standardise
from celldsl.train.model import Layer, last
from celldsl.train.rng import generator
from celldsl.train.tasks import make_task
from celldsl.train.tasks.task import Task

LAYER = Layer(lambda m: torch.nn.LSTM(m, 6, batch_first=True), 6)


def check(
    task: Task, data_dir: str | None, inputs: tuple[int, ...], target: tuple[int, ...], dtype: torch.dtype
) -> None:
    """Batches have these shapes (without B); the model answers them; every example is in one batch; twice the same."""
    data, again = task.load(data_dir), task.load(data_dir)
    for one, other in ((data.train, again.train), (data.test, again.test)):
        assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
    batches = task.batches(data.train, 5, generator("a", 1))
    assert sorted(torch.cat(list(batches)).tolist()) == list(range(len(data.train)))
    assert [b.tolist() for b in batches] == [b.tolist() for b in task.batches(data.train, 5, generator("a", 1))]
    assert [b.tolist() for b in batches] != [b.tolist() for b in task.batches(data.train, 5, generator("a", 2))]
    batch = data.train.take(batches[0])
    assert batch["input"].shape == (5, *inputs)
    assert batch["input"].dtype == torch.float32
    assert batch["target"].shape == (5, *target)
    assert batch["target"].dtype == dtype
    scored = task.score(task.model(LAYER, data.facts), batch)
    assert scored.loss.shape == (5,)
    assert all(value.shape == (5,) for value in scored.values.values())
    assert task.metric.name in task.summarise({name: value.double() for name, value in scored.values.items()})


def test_digits() -> None:
    task = make_task("digits", {})
    check(task, None, (8, 8), (), torch.int64)
    data = task.load(None)
    assert (len(data.train), len(data.test)) == (1442, 355)
    shares = [part.tensors["target"].bincount().double() / len(part) for part in (data.train, data.test)]
    assert (shares[0] - shares[1]).abs().max() < 0.005


def test_adding() -> None:
    task = make_task("adding", {"length": 9, "train_size": 40, "test_size": 10})
    check(task, None, (9, 2), (), torch.float32)
    batch = task.load(None).train.tensors
    numbers, marks = batch["input"].unbind(2)
    assert (marks[:, :4].sum(1) == 1).all()
    assert (marks[:, 4:].sum(1) == 1).all()
    torch.testing.assert_close((numbers * marks).sum(1), batch["target"])
    with pytest.raises(TrainError, match="length must be at least 2"):
        make_task("adding", {"length": 1}).load(None)


def test_copy() -> None:
    task = make_task("copy", {"symbols": 3, "delay": 4, "train_size": 40, "test_size": 10})
    check(task, None, (10, 10), (10,), torch.int64)
    batch = task.load(None).train.tensors
    shown, target = batch["input"].argmax(2), batch["target"]
    assert torch.equal(shown[:, :3], target[:, -3:])
    assert (shown[:, 6] == 9).all()
    assert (shown == 9).sum() == 40
    assert (target[:, :-3] == 8).all()
    assert (shown[:, :3] < 8).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as the real one, with 30 and 12 little pictures of 28 × 28."""
    root = tmp_path_factory.mktemp("data")
    write_mnist(root, "train", 30)
    write_mnist(root, "test", 12)
    return root


def write_mnist(root: Path, part: str, size: int, columns: tuple[str, str] = ("image", "label")) -> None:
    import io

    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    pictures = pixels(part, size)
    rows = []
    for picture in pictures:
        with io.BytesIO() as file:
            Image.fromarray(picture.numpy()).save(file, format="PNG")
            rows.append({"bytes": file.getvalue(), "path": None})
    image = pyarrow.array(rows, type=pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]))
    label = pyarrow.array([number % 10 for number in range(size)], type=pyarrow.int64())
    (root / "mnist").mkdir(exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table([image, label], names=columns), root / "mnist" / f"{part}.parquet")


def pixels(part: str, size: int) -> torch.Tensor:
    pictures = torch.randint(0, 256, (size, 28, 28), generator=generator("pixels", part), dtype=torch.uint8)
    if part == "train":
        pictures[:, 0] = 0  # a first row that is blank in training alone
    return pictures


def test_mnist_from_a_folder(folder: Path) -> None:
    rows, single = make_task("mnist-rows", {}), make_task("mnist-pixels", {})
    check(rows, str(folder), (28, 28), (), torch.int64)
    check(single, str(folder), (784, 1), (), torch.int64)
    data = rows.load(str(folder))
    assert data.train.tensors["target"].tolist() == [number % 10 for number in range(30)]
    train, test = standardise(pixels("train", 30), pixels("test", 12))
    assert torch.equal(data.train.tensors["input"], train)
    assert torch.equal(data.test.tensors["input"], test)
    assert torch.equal(single.load(str(folder)).test.tensors["input"].reshape(12, 28, 28), test)


def test_standardised_pixels() -> None:
    raw = pixels("train", 30)
    train, test = standardise(raw, pixels("test", 12))
    assert (train[:, 0] == 0).all()
    assert (test[:, 0] == 0).all(), "a pixel that is constant in training must not blow up in testing"
    torch.testing.assert_close(train[:, 1:].mean(0), torch.zeros(27, 28), atol=1e-6, rtol=0)
    torch.testing.assert_close(train[:, 1:].std(0, correction=0), torch.ones(27, 28), atol=1e-6, rtol=0)
    mean, std = raw[:, 5, 5].double().mean(), raw[:, 5, 5].double().std(correction=0)
    torch.testing.assert_close(train[:, 5, 5].double(), (raw[:, 5, 5] - mean) / (std + 1e-6), atol=1e-6, rtol=0)


def test_standards() -> None:
    train, test = pixels("train", 30), pixels("test", 12)
    _, raw = standardise(train, test, by="pixel-raw")
    assert torch.equal(raw[:, 0].double(), (test[:, 0] / 1e-6).float().double()), "as the paper's code"
    every, _ = standardise(train, test, by="all")
    assert abs(every.mean().item()) < 1e-6
    assert every.std(correction=0).item() == pytest.approx(1, abs=1e-6)
    assert torch.equal(standardise(train, test, by="unit")[1], test / 255)
    with pytest.raises(TrainError, match="standardise must be one of pixel, pixel-raw, all, unit, not 'pixels'"):
        make_task("mnist-rows", {"standardise": "pixels"})


def test_one_order_of_pixels_for_all_images(folder: Path) -> None:
    plain = make_task("mnist-pixels", {"standardise": "unit"}).load(str(folder))
    task = make_task("mnist-permuted", {"standardise": "unit", "order": 3})
    check(task, str(folder), (784, 1), (), torch.int64)
    data = task.load(str(folder))
    other = make_task("mnist-permuted", {"standardise": "unit", "order": 4}).load(str(folder))
    order = torch.randperm(784, generator=generator("mnist-permuted", 3))
    for part in ("train", "test"):
        given, whole = (getattr(each, part).tensors["input"] for each in (data, plain))
        assert torch.equal(given, whole[:, order])
        assert not torch.equal(getattr(other, part).tensors["input"], given)


def test_missing_or_broken_data_is_explained(folder: Path, tmp_path: Path) -> None:
    task = make_task("mnist-rows", {})
    with pytest.raises(TrainError, match="is no folder"):
        task.load(str(tmp_path / "nowhere"))
    with pytest.raises(TrainError, match=r"train\.parquet is missing: data_dir must hold one folder per set"):
        task.load(str(tmp_path))
    write_mnist(tmp_path, "train", 3, columns=("picture", "label"))
    with pytest.raises(TrainError, match="has no column 'image'; it has picture, label"):
        task.load(str(tmp_path))
    (tmp_path / "mnist" / "train.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(TrainError, match="is no Parquet file that can be read"):
        task.load(str(tmp_path))


def test_without_folder_or_network_the_folder_is_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach 'ylecun/mnist' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(TrainError, match=r"Couldn't reach .*; give a folder that holds it with data_dir"):
        make_task("mnist-rows", {}).load(None)


@pytest.mark.skipif("CELLDSL_DATA" not in os.environ, reason="set CELLDSL_DATA to a folder with the real data sets")
def test_real_mnist() -> None:
    data = make_task("mnist-rows", {}).load(os.environ["CELLDSL_DATA"])
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.train.tensors["target"].bincount().tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    flat = data.train.tensors["input"].reshape(60_000, 784)
    assert (flat == 0).all(0).sum() == 67, "the pixels that are blank in all training images"
    assert round(flat.abs().max().item()) == 245
    assert data.test.tensors["input"].abs().max() < 1000, "the one image with ink on a blank pixel"


def test_the_end_of_a_bidirectional_layer() -> None:
    output = torch.arange(24.0).reshape(1, 4, 6)
    assert last(output).tolist() == [[18, 19, 20, 21, 22, 23]]
    assert last(output, bidirectional=True).tolist() == [[18, 19, 20, 3, 4, 5]]
    torch.manual_seed(0)
    layer, x = torch.nn.LSTM(2, 3, batch_first=True, bidirectional=True), torch.randn(5, 4, 2)
    output, (state, _) = layer(x)
    assert torch.equal(last(output, bidirectional=True), torch.cat((state[0], state[1]), dim=1))
