"""Checking stays light and bounded: no heavy import, no time lost on large or hostile specs."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.check.specs import cell_of, codes_of


def test_no_heavy_imports():
    code = (
        "import sys; from celldsl import relatives; "
        "[relatives.find(n) for n in ('lstm', 'lstm1', 'lstm2', 'lstm3', 'ulstm')]; "
        "print([n for n in ('torch', 'sympy', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_many_gates():
    gates = "\n".join(f"g{i}_t = σ(U{i} h_{{t-1}} + W{i} x_t + b{i}) ⊙ p{i}" for i in range(60))
    start = time.perf_counter()
    cell = cell_of(f"h_t = tanh(W x_t{''.join(f' + g{i}_t' for i in range(60))})\n{gates}")
    assert time.perf_counter() - start < 5
    assert len(cell.parameters) == 241


def test_astronomic_specs_are_refused():
    calls = "\n".join(f"def f{i}(v) = f{i - 1}(f{i - 1}(v))" for i in range(1, 60))
    assert codes_of(f"def f0(v) = v + v\n{calls}\n h_t = f59(W x_t)")[0] == "too-large"
    assert codes_of("h_t = W x_t\n claim params = ((((m + n)^12)^12)^12)^12") == ["claim-value"]


def test_odd_names_are_just_names():
    cell = cell_of("h_t = tanh(S x_t + beta h_{t-1} + lambda + __class__ + E)".replace("__class__", "class"))
    assert {"S", "beta", "lambda", "class", "E"} == {info.name for info in cell.parameters}
