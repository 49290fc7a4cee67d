"""Running: nothing twice, nothing lost, side by side or not, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from celldsl.cli.main import main
from celldsl.errors import SpecError
from celldsl.experiment import ExperimentError, collect, run
from celldsl.experiment.folder import ExperimentFolder
from celldsl.experiment.live import Watch
from celldsl.experiment.pools import Here, Local
from celldsl.experiment.work import Job, Outcome
from celldsl.train import TrainError
from tests.experiment.helpers import CPU, TRIAL, results, trial

ROOT = Path(__file__).resolve().parent.parent.parent


class Told(Watch):
    """Remembers what was run and how it ended."""

    def __init__(self) -> None:
        self.started_jobs: list[str] = []
        self.outcomes: dict[str, Outcome] = {}

    def started(self, job: Job) -> None:
        self.started_jobs.append(job.name)

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.outcomes[job.name] = outcome


@pytest.fixture(scope="module", autouse=True)
def _no_figures() -> Iterator[None]:
    """Drawing takes longer than these runs; test_commands.py and test_shipped.py draw what such runs give."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("celldsl.experiment.runner.figures", lambda report: [])
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The trial, run in this process without interruption."""
    out = tmp_path_factory.mktemp("whole") / "out"
    report = run(trial(), out, machine=CPU)
    assert report.ok
    assert report.finished
    return out


def test_a_finished_run_is_never_run_twice(whole):
    told = Told()
    before = {path: path.stat().st_mtime_ns for path in whole.glob("points/*/result.json")}
    assert len(before) == 4
    assert run(trial(), whole, machine=CPU, watch=told).finished
    assert told.started_jobs == []
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_grid_grows_and_the_report_keeps_what_was_there(tmp_path):
    told = Told()
    run(trial(seed=[0], lr=[1e-2]), tmp_path / "out", machine=CPU)
    report = run(trial(seed=[1], lr=[1e-2], cell=["torch.nn.LSTM"]), tmp_path / "out", machine=CPU, watch=told)
    assert told.started_jobs == ["torch.nn.lstm-lr0.01-seed1"]
    assert [len(group.runs) for group in report.groups] == [2, 1]
    told = Told()
    report = run(trial(seed=[0], lr=[1e-2], epochs=4), tmp_path / "out", machine=CPU, watch=told)
    assert len(told.started_jobs) == 2, "more epochs go on where the fewer ended"
    assert report.groups[0].runs[0].epochs == 4


def test_a_folder_made_by_several_commands_tells_all_of_them(tmp_path):
    """What each run was really given, and every command that made runs; one that found nothing to do is none."""
    out = tmp_path / "out"
    both, one = trial(lr=[1e-2], epochs=1), trial(lr=[1e-2], cell=["torch.nn.GRU"], epochs=2)
    run(both, out, machine=CPU, command="run both")
    first = (out / "experiment.json").read_text()
    run(one, out, machine=CPU, command="run one")
    run(one, out, machine=CPU, command="run nothing")
    report = run(trial(lr=[1e-2], seed=[0, 1], cell=["torch.nn.GRU"], epochs=2), out, machine=CPU, command="run both")
    assert report.commands == ["run both", "run one"]
    assert report.changed == ["epochs: 1 to 2 instead of 3"]
    assert report.settings["epochs"] == [2, 1]
    assert {run.name: run.given["epochs"] for group in report.groups for run in group.runs} == {
        "torch.nn.gru-lr0.01-seed0": 2,
        "torch.nn.gru-lr0.01-seed1": 2,
        "torch.nn.lstm-lr0.01-seed0": 1,
    }
    text = (out / "report.md").read_text()
    assert "In this order, into one folder:\n\n    run both\n    run one\n" in text
    assert "<pre>run both\nrun one</pre>" in (out / "report.html").read_text()
    # A folder of before: the last command alone, and the file's settings only where a line tells them.
    old = json.loads(first)
    assert old["commands"] == ["run both"]
    del old["origin"], old["commands"]
    (out / "experiment.json").write_text(json.dumps({**old, "command": "run both"}))
    again = collect(ExperimentFolder(out))
    assert again.commands == ["run both"]
    assert (again.changed, again.ends) == (report.changed, report.ends)
    (out / "experiment.json").write_text(json.dumps({**old, "command": "", "changed": []}))
    assert collect(ExperimentFolder(out)).commands == ["celldsl experiment run trial.toml"]
    run(one, out, machine=CPU, command="run nothing")
    assert collect(ExperimentFolder(out)).changed == report.changed, "a folder of before is taken over"


def test_another_experiment_does_not_enter_the_folder(whole, tmp_path):
    with pytest.raises(ExperimentError, match="hidden: 12 -> 13"):
        run(trial(hidden=13), whole, machine=CPU)
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ExperimentError, match="holds no experiment"):
        run(trial(), tmp_path, machine=CPU)


@pytest.mark.slow
def test_local_processes_compute_the_same_bits(whole, tmp_path):
    told = Told()
    report = run(trial(), tmp_path / "out", machine=CPU, pool=Local(2), watch=told)
    assert report.finished
    assert {outcome.status for outcome in told.outcomes.values()} == {"finished"}
    assert results(tmp_path / "out") == results(whole)


def test_failures_are_recorded_and_the_rest_goes_on(tmp_path):
    broken = tmp_path / "broken.cell"
    broken.write_text("cell Broken { h_t = W x_t + }")
    experiment = trial(cell=[str(broken), "torch.nn.GRU"], seed=[0], lr=[1e-2, 1e38])
    with pytest.raises(SpecError):  # before anything runs
        run(experiment, tmp_path / "unread", machine=CPU)
    assert not list(tmp_path.glob("unread/points/*"))
    experiment = experiment.with_axes({"cell": ["torch.nn.LSTM", "torch.nn.GRU"]})
    report = run(experiment, tmp_path / "out", machine=CPU)
    assert not report.ok
    assert report.points == {"finished": 2, "diverged": 2}
    reasons = [run.reason for group in report.groups for run in group.runs if run.status == "diverged"]
    assert all("1e+38" in reason for reason in reasons)
    told = Told()
    run(experiment, tmp_path / "out", machine=CPU, watch=told)
    assert told.started_jobs == [], "what diverged would diverge again"
    run(experiment, tmp_path / "out", machine=CPU, watch=told, retry=True)
    assert set(told.outcomes) == {"torch.nn.lstm-lr1e_38-seed0", "torch.nn.gru-lr1e_38-seed0"}


@pytest.mark.parametrize("task", ["mnist-rows", "mnist-pixels", "mnist-permuted", "imdb", "ptb", "sick", "sst"])
def test_data_that_are_missing_are_heard_of_before_anything_is_written(task, tmp_path):
    experiment = trial(seed=[0, 1], cell=["torch.nn.LSTM"], lr=[1e-2], task=task)
    told = Told()
    with pytest.raises(TrainError, match="is no folder"):
        run(experiment, tmp_path / "out", machine={**CPU, "data_dir": str(tmp_path / "nowhere")}, watch=told)
    with pytest.raises(TrainError, match=r"\.parquet is missing"):
        run(experiment, tmp_path / "out", machine={**CPU, "data_dir": str(tmp_path)}, watch=told)
    assert not (tmp_path / "out").exists()
    assert told.started_jobs == []


def test_word_vectors_that_are_missing_are_heard_of_too(tmp_path):
    for task in ("sick", "sst"):
        (tmp_path / task).mkdir()
        for part in ("train", "validation", "test"):
            (tmp_path / task / f"{part}.parquet").write_text("not read")
        experiment = trial(cell=["torch.nn.LSTM"], task=task, **{"task_options.vectors": "/nowhere"})
        with pytest.raises(TrainError, match="there is no file '/nowhere'"):
            run(experiment, tmp_path / "out", machine={**CPU, "data_dir": str(tmp_path)})
    assert not (tmp_path / "out").exists()


def test_a_run_that_failed_is_tried_again(tmp_path):
    experiment = trial(seed=[0], cell=["torch.nn.LSTM"], lr=[1e-2], task="mnist-rows")
    (tmp_path / "mnist").mkdir()
    for part in ("train", "test"):
        (tmp_path / "mnist" / f"{part}.parquet").write_text("no table")
    report = run(experiment, tmp_path / "out", machine={**CPU, "data_dir": str(tmp_path)})
    assert report.points == {"failed": 1}
    assert "is no Parquet file" in report.groups[0].runs[0].reason
    told = Told()
    run(experiment, tmp_path / "out", machine=CPU | {"data_dir": str(tmp_path)}, watch=told)
    assert told.started_jobs, "a failure is tried again"


@pytest.mark.slow
def test_a_worker_that_is_killed_fails_its_run_alone(tmp_path):
    """Killed by the system, for its memory say: its run is recorded as failed, and the next call finishes it."""

    experiment = trial(seed=[0], lr=[1e-2], epochs=30, train_limit=1400)
    killed: list[str] = []

    class Deadly(Told):
        def started(self, job: Job) -> None:
            super().started(job)
            if not killed:
                killed.append(job.name)
                threading.Thread(target=kill, args=(job,)).start()

    def kill(job: Job) -> None:
        while not (job.folder.run.metrics.is_file() and job.folder.run.metrics.read_text().count("\n") > 2):
            time.sleep(0.02)
        os.kill(int(job.folder.lock.read_text()), signal.SIGKILL)

    watch = Deadly()
    report = run(experiment, tmp_path / "out", machine=CPU, pool=Local(1), watch=watch)
    assert watch.outcomes[killed[0]].status == "failed"
    assert "SIGKILL" in watch.outcomes[killed[0]].reason
    assert report.points == {"failed": 1, "finished": 1}
    assert run(experiment, tmp_path / "out", machine=CPU).finished


@pytest.mark.parametrize(
    ("jobs", "kills"), [(2, 1), pytest.param(1, 3, marks=pytest.mark.slow), pytest.param(2, 3, marks=pytest.mark.slow)]
)
def test_killed_at_any_moment_and_run_again_it_is_the_same_bits(whole, tmp_path, jobs, kills):
    """kill -9 of the whole command, some epochs further every time, and then one that gets through."""
    file, out = tmp_path / "trial.toml", tmp_path / "out"
    file.write_text(TRIAL)
    words = ["experiment", "run", str(file), "-o", str(out), "--device", "cpu", "--set", "checkpoint_steps=3"]
    command = [sys.executable, "-m", "celldsl", *words, "--jobs", str(jobs)]
    progress = -1
    for _ in range(kills):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started = time.monotonic()
        while process.poll() is None and time.monotonic() - started < 60:
            now = sum(path.read_text().count("\n") for path in out.glob("points/*/metrics.jsonl"))
            if now > progress + 2:  # some epochs further than last time
                progress = now
                break
            time.sleep(0.005)
        assert process.poll() is None, "it was over before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert main([*words, "--jobs", str(jobs)]) == 0  # from this process, which has torch already
    assert collect(ExperimentFolder(out)).finished
    assert results(out) == results(whole)


@pytest.mark.slow
def test_ctrl_c_ends_with_checkpoints_and_says_how_to_go_on(tmp_path):
    file, out = tmp_path / "trial.toml", tmp_path / "out"
    file.write_text(TRIAL)
    command = [sys.executable, "-m", "celldsl", "experiment", "run", str(file), "-o", str(out), "--jobs", "2"]
    process = subprocess.Popen(
        [*command, "--set", "epochs=500"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    started = time.monotonic()
    while len(list(out.glob("points/*/last.safetensors"))) < 2 and time.monotonic() - started < 100:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said.decode()
    assert f"-o {out} goes on from here" in said.decode()
    states = ExperimentFolder(out).states()
    assert [state.status for state in states].count("begun") == 2
    report = json.loads((out / "report.json").read_text())
    assert report["points"] == {"begun": 2, "waiting": 2}


def test_a_run_that_another_process_has_is_left_to_it(tmp_path, monkeypatch):
    import celldsl.experiment.work

    monkeypatch.setattr(celldsl.experiment.work, "PATIENCE", 0.3)
    experiment, out = trial(seed=[0], lr=[1e-2]), tmp_path / "out"
    told = Told()
    point = experiment.points()[0]
    ExperimentFolder(out).open(experiment)
    with ExperimentFolder(out).point(point).locked() as free:
        assert free
        report = run(experiment, out, machine=CPU, pool=Here(), watch=told)
        assert told.outcomes[point.name].status == "busy"
    assert report.points == {"running": 1, "finished": 1}


@pytest.mark.slow
def test_a_local_ray_computes_the_same_bits(whole, tmp_path):
    pytest.importorskip("ray")
    from celldsl.experiment.cluster import Cluster

    told = Told()
    report = run(trial(), tmp_path / "out", machine=CPU, pool=Cluster(processors=2), watch=told)
    assert report.finished
    assert len(told.started_jobs) == 4
    assert results(tmp_path / "out") == results(whole)


def test_tensorboard_has_every_epoch_once(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for epochs in (2, 3):  # the second goes on where the first ended
        experiment = trial(lr=[1e-2], cell=["torch.nn.LSTM"], epochs=epochs)
        run(experiment, tmp_path / "out", machine=CPU, tensorboard=True)
    (folder,) = tmp_path.glob("out/points/*/tensorboard")
    events = EventAccumulator(str(folder)).Reload()
    result = json.loads((folder.parent / "result.json").read_text())
    told = [(event.step, event.value) for event in events.Scalars("test/accuracy")]
    assert told == [(row["epoch"], pytest.approx(row["test"]["accuracy"])) for row in result["rows"]]


@pytest.mark.slow
def test_points_can_be_data_parallel(tmp_path):
    """Under torchrun both processes run every point, and one of them writes."""
    (tmp_path / "trial.toml").write_text(TRIAL)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "celldsl"]
    command += ["experiment", "run", str(tmp_path / "trial.toml"), "--only", "lr=1e-2", "--device", "cpu"]
    for name in ("two", "two"):  # the second time nothing is left to do
        done = subprocess.run([*command, "-o", str(tmp_path / name)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert done.stdout.count("report.html") == 1
    two = collect(ExperimentFolder(tmp_path / "two"))
    assert two.finished
    assert two.machines[0]["hardware"]["processes"] == 2
    one = run(trial(lr=[1e-2]), tmp_path / "one", machine=CPU)
    for ours, other in zip(one.groups, two.groups, strict=True):
        assert other.runs[0].curves["train"] == pytest.approx(ours.runs[0].curves["train"], abs=0.01)
