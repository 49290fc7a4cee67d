"""Kernels as operators of torch: eager, compiled, exported, scripted, transformed, differentiated twice."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from celldsl.runtime.kernel import cells
from celldsl.runtime.kernel.operator import Operator
from tests.cpu import parity
from tests.cpu.odd import ODD


@pytest.fixture(scope="module")
def lstm() -> tuple[nn.Module, nn.Module]:
    return parity.layers("lstm", 3, 5)


def sequence(steps: int = 6, batch: int = 4, width: int = 3) -> Tensor:
    return torch.randn(steps, batch, width, dtype=torch.float64)


def arguments_of(name: str, variant: str) -> tuple[Operator, tuple]:
    """The operators of a cell, and what a layer calls them with: tensors (None where there is none), numbers."""
    _, kernel = parity.layers(ODD.get(name, name), 3, 5)
    seen: list[tuple] = []
    calls = Operator.__call__

    def record(self, *given):
        seen.append((self, given))
        return calls(self, *given)

    patch = pytest.MonkeyPatch()
    patch.setattr(Operator, "__call__", record)
    parity.variant(patch, variant)
    try:
        kernel(*parity.inputs(ODD.get(name, name), 3, 4, 2))
    finally:
        patch.undo()
    operator, (tensors, *numbers) = seen[0]
    leaves = [None if t is None else t.detach().clone().requires_grad_() for t in tensors]
    return operator, (leaves, *numbers)


def registered(arguments: tuple, grad: bool = True) -> tuple:
    """The same as the registered operators take them."""
    tensors, *numbers = arguments
    present = [t if grad else t.detach() for t in tensors if t is not None]
    return (present, [at for at, t in enumerate(tensors) if t is None], *numbers)


@pytest.mark.parametrize(("name", "variant"), [("lstm", "folded"), ("lstm", "hoisted"), ("Delayed", "folded")])
def test_opcheck(name, variant):
    operator, arguments = arguments_of(name, variant)
    torch.library.opcheck(operator.train, registered(arguments))
    torch.library.opcheck(operator.infer, registered(arguments, False))


def test_the_dispatcher_gives_what_the_shortcut_gives():
    operator, arguments = arguments_of("lstm", "folded")
    grads = []
    for results in (operator(*arguments), operator.train(*registered(arguments))):
        output, *last = results[:3]
        total = output.sin().sum() + sum(value.cos().sum() for value in last)
        leaves = [a for a in arguments[0] if a is not None]
        grads.append([output, *torch.autograd.grad(total, leaves)])
    torch.testing.assert_close(grads[0], grads[1], rtol=0, atol=0)


def test_the_operator_under_torchscript(lstm, tmp_path):
    """A scripted function that calls it is differentiated, saved and loaded."""
    operator, arguments = arguments_of("lstm", "folded")
    tensors, *numbers = registered(arguments)
    source = SCRIPTED.format(name=operator.name)
    (tmp_path / "scripted.py").write_text(source)
    spec = importlib.util.spec_from_file_location("scripted", tmp_path / "scripted.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scripted = torch.jit.script(module.run)
    scripted.save(str(tmp_path / "run.pt"))
    for call in (scripted, torch.jit.load(str(tmp_path / "run.pt"))):
        for _ in range(3):
            output = call(tensors, *numbers)
            grads = torch.autograd.grad(output.sin().sum(), tensors)
        expected = operator(*arguments)[0]
        torch.testing.assert_close(output, expected, rtol=0, atol=0)
        torch.testing.assert_close(grads, torch.autograd.grad(expected.sin().sum(), tensors), rtol=0, atol=0)


SCRIPTED = """
import torch
from typing import List


def run(
    tensors: List[torch.Tensor], absent: List[int], steps: int, batch: int, widths: List[int], settings: List[float]
):
    return torch.ops.celldsl.{name}_train(tensors, absent, steps, batch, widths, settings)[0]
"""


@pytest.mark.parametrize("name", ["lstm", "lstm3", "Antisymmetric", "Repeats", "Blocks"])
def test_compile_without_a_break(name):
    torch._dynamo.reset()
    m, n = (4, 6) if name == "Blocks" else (3, 5)
    _, kernel = parity.layers(ODD.get(name, name), m, n)
    x = sequence(width=m).requires_grad_()
    compiled = torch.compile(kernel, fullgraph=True, backend="aot_eager")
    one, other = kernel(x)[0], compiled(x)[0]
    torch.testing.assert_close(one, other, rtol=0, atol=1e-14)
    for value, again in zip(
        torch.autograd.grad(one.sin().sum(), [x, *kernel.parameters()]),
        torch.autograd.grad(other.sin().sum(), [x, *kernel.parameters()]),
        strict=True,
    ):
        torch.testing.assert_close(value, again, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["lstm", "Delayed"])
def test_compile_before_any_other_run(name, monkeypatch):
    """Nothing is known of the cell yet, and its layers differ in their sizes."""
    torch._dynamo.reset()
    monkeypatch.setattr(cells, "KERNELS", {})
    monkeypatch.setattr(cells, "CALLS", {})
    portable, kernel = parity.layers(ODD.get(name, name), 3, 5, num_layers=2, bidirectional=name == "lstm")
    kernel.compile(fullgraph=True, backend="aot_eager")
    found = parity.differences(portable, kernel, [sequence()])
    assert max(found.values()) <= 1e-13, found


def test_export_at_other_lengths_and_batches(lstm):
    _, kernel = lstm
    steps, batch = torch.export.Dim("T", min=2), torch.export.Dim("B", min=2)
    kernel.eval()
    with torch.no_grad():
        program = torch.export.export(kernel, (sequence(),), dynamic_shapes={"input": {0: steps, 1: batch}})
        for t, b in ((6, 4), (11, 3), (2, 9)):
            x = sequence(t, b)
            torch.testing.assert_close(program.module()(x), kernel(x), rtol=0, atol=1e-14)


def test_scripting_takes_the_portable_code(lstm, tmp_path):
    _, kernel = lstm
    scripted = torch.jit.script(kernel)
    scripted.save(tmp_path / "lstm.pt")
    x = sequence()
    torch.testing.assert_close(torch.jit.load(tmp_path / "lstm.pt")(x), kernel(x), rtol=0, atol=1e-12)
    assert dict(scripted.named_parameters()).keys() == dict(kernel.named_parameters()).keys()


@pytest.mark.parametrize("variant", ["folded", "hoisted"])
def test_gradients_of_gradients(variant, monkeypatch):
    parity.variant(monkeypatch, variant)
    for name in ("lstm", "Projected", "Stacked", "Repeats", "Blocks"):
        _, kernel = parity.layers(ODD.get(name, name), 2, 6 if name == "Blocks" else 3)
        parameters = list(kernel.parameters())

        def outputs(x, *values, kernel=kernel):
            names = [key for key, _ in kernel.named_parameters()]
            return torch.func.functional_call(kernel, dict(zip(names, values, strict=False)), (x,))[0]

        x = sequence(3, 2, 2).requires_grad_()
        assert torch.autograd.gradcheck(outputs, (x, *parameters))
        assert torch.autograd.gradgradcheck(outputs, (x, *parameters[:3]))


def test_the_graph_can_be_kept(lstm):
    _, kernel = lstm
    x = sequence().requires_grad_()
    total = kernel(x)[0].square().sum()
    (first,) = torch.autograd.grad(total, x, retain_graph=True)
    (second,) = torch.autograd.grad(total, x)
    assert torch.equal(first, second)


def test_vmap_and_function_transforms(lstm):
    portable, kernel = lstm
    x = torch.randn(7, 6, 4, 3, dtype=torch.float64)
    for layer in (portable, kernel):
        layer.eval()
    one, other = (torch.vmap(lambda each, layer=layer: layer(each)[0])(x) for layer in (portable, kernel))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    per_sample = [
        torch.vmap(torch.func.grad(lambda each, layer=layer: layer(each)[0].square().sum()))(x)
        for layer in (portable, kernel)
    ]
    torch.testing.assert_close(*per_sample, rtol=0, atol=1e-12)
    operator, arguments = arguments_of("lstm", "folded")
    plain, *numbers = registered(arguments, False)
    stacked = torch.stack([plain[0], plain[0] * 2])
    several = torch.vmap(lambda value: operator.infer([value, *plain[1:]], *numbers)[0])(stacked)
    torch.testing.assert_close(several[1], operator.infer([plain[0] * 2, *plain[1:]], *numbers)[0])


def test_copies_and_pickles(lstm):
    _, kernel = lstm
    x = sequence()
    torch.testing.assert_close(copy.deepcopy(kernel)(x), kernel(x))
    torch.testing.assert_close(pickle.loads(pickle.dumps(kernel))(x), kernel(x))


def test_a_pickle_is_read_by_another_process(lstm, tmp_path):
    _, kernel = lstm
    x = sequence(2, 1)
    torch.save((kernel, x, kernel(x)[0]), tmp_path / "layer.pt")
    code = (
        "import sys, torch; layer, x, y = torch.load(sys.argv[1], weights_only=False);"
        "torch.testing.assert_close(layer.run(x, None, False)[0], y)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "layer.pt")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_other_dtypes_stay_with_the_portable_code(lstm, monkeypatch):
    _, kernel = lstm

    def never(*_):
        raise AssertionError("a kernel ran")

    half = copy.deepcopy(kernel).bfloat16()
    monkeypatch.setattr(cells, "run", never)
    assert half(sequence().bfloat16())[0].dtype == torch.bfloat16
    assert kernel.signals(sequence())["c_l0"].shape == (6, 4, 5)
    with pytest.raises(AssertionError, match="a kernel ran"):
        kernel(sequence())


@pytest.mark.parametrize("variant", ["folded", "hoisted"])
def test_training_writes_no_more_than_it_must(variant, lstm, monkeypatch):
    """What is kept for the backward pass: states, gates, nothing else of the size of a sequence; no hoisted product."""
    parity.variant(monkeypatch, variant)
    _, kernel = lstm
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t), t)[1], lambda t: t):
        kernel(sequence(20, 4).requires_grad_())
    large = {t.data_ptr(): t.numel() for t in kept if t.numel() >= 20 * 4 * 5}
    assert sum(large.values()) <= 20 * 4 * 5 * 6  # i, f, o, the candidate, c, h
