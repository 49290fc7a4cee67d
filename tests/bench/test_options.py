"""Options: what is refused, and the command line that runs them again."""

from __future__ import annotations

import dataclasses

import pytest

from celldsl.bench import BenchError, Options
from celldsl.bench.options import FLAGS


def test_every_option_has_a_flag():
    assert set(FLAGS) == {field.name for field in dataclasses.fields(Options)}


@pytest.mark.parametrize(
    ("options", "command"),
    [
        (Options(), "celldsl bench"),
        (
            Options(cells=("lstm", "my cell.cell"), task="mnist-rows", data_dir="/somewhere/else", lr=0.01, seeds=1),
            "celldsl bench --cells 'lstm,my cell.cell' --task mnist-rows --data DIR --lr 0.01 --seeds 1",
        ),
    ],
)
def test_command(options, command):
    assert options.command == command


def test_command_line_gives_the_options_back(monkeypatch):
    """The printed command, parsed by the real command, is the same benchmark."""
    import shlex

    from celldsl.cli import bench as cli

    seen = []
    monkeypatch.setattr("celldsl.bench.bench", lambda options, folder, listener: seen.append(options), raising=False)
    wanted = Options(cells=("lstm3",), epochs=2, optimiser="adam", schedule="cosine", threads=1, hidden=7, batch=3)
    with pytest.raises(AttributeError):  # the benchmark was replaced by one that returns no report
        cli.command.main([*shlex.split(wanted.command)[2:], "-o", "x"], standalone_mode=False)
    assert seen == [wanted]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Options(cells=()), "no cell"),
        (Options(cells=("lstm", "gru", "lstm")), "lstm is named twice"),
        (Options(seeds=0), "at least 1"),
    ],
)
def test_refused(options, told):
    with pytest.raises(BenchError, match=told):
        options.check()


def test_what_changed_since_the_last_time():
    before = Options().to_json()
    assert Options(seeds=5, epochs=3, cells=("gru",)).changed(before) == []
    assert Options(data_dir="elsewhere", threads=1).changed(before) == []
    assert Options(lr=0.01, hidden=3).changed(before) == ["hidden: 50 -> 3", "lr: 0.001 -> 0.01"]


@pytest.mark.parametrize(
    ("options", "threads"),
    [
        (Options(), 1),
        (Options(threads=3), 3),
        (Options(hidden=512), None),
        (Options(batch=1024), None),
    ],
)
def test_small_steps_train_on_one_thread(options, threads):
    assert options.training_threads == threads
