"""A report made by hand, for everything that draws."""

from __future__ import annotations

import math

from celldsl.bench.report import CellReport, Equation, Published, Report, Run, Timing

LATEX = [
    (r"i_t &= \sigma(U_i h_{t-1} + W_i x_t + b_i) \tag{1}", "i_t = σ(U_i h_{t-1} + W_i x_t + b_i)  (1)"),
    (r"c_t = f_t \odot c_{t-1} + i_t \odot \tanh(W_c x_t)", "c_t = f_t ⊙ c_{t-1} + i_t ⊙ tanh(W_c x_t)"),
    (r"h_t = \undrawable{o_t} \odot \tanh(c_t)", "h_t = undrawable(o_t) ⊙ tanh(c_t)"),
]


def cell(name: str, at: int, seeds: int = 3, epochs: int = 20, **rest) -> CellReport:
    """A cell whose accuracy rises to 1 - 0.02 at, each seed a little off."""

    def curve(seed: int, lift: float) -> list[float]:
        top = 0.97 - 0.015 * at + lift
        return [top - 0.8 * math.exp(-epoch / (2 + at)) + 0.004 * math.sin(7 * seed + epoch) for epoch in range(epochs)]

    runs = [
        Run(seed, curve(seed, 0.02), curve(seed, 0.0), max(curve(seed, 0.0)), 7, curve(seed, 0.0)[-1], 0.14, "epochs")
        for seed in range(seeds)
    ]
    told = {
        "spec": name.lower(),
        "name": name,
        "about": "A cell made by hand <for tests>.",
        "cites": ["Nobody & Noone 2017"],
        "equations": [Equation(*pair) for pair in LATEX],
        "formula": "4 m n + 4 n² + 4 n",
        "parameters": 11800 - 1600 * at,
        "checks": 31,
        "claims": ["params = 4 (m n + n^2 + n)"],
        "false": [],
        "runs": runs,
        "timing": Timing(2.8 - 0.5 * at, 2.6 - 0.5 * at, 3.1 - 0.5 * at, 4.2, 1),
    }
    return CellReport(**{**told, **rest})


def report(*cells: CellReport, **options) -> Report:
    """A report of some cells (three by default) on digits."""
    told = {
        "cells": ["a", "b", "c"],
        "task": "digits",
        "epochs": 20,
        "hidden": 50,
        "batch": 32,
        "lr": 0.001,
        "optimiser": "rmsprop",
        "schedule": "exp-loss",
        "seeds": 3,
    }
    return Report(
        command="celldsl bench --cells a,b,c",
        options={**told, **options},
        metric="accuracy",
        higher_is_better=True,
        shape={"T": 8, "B": 32, "m": 8, "n": 50},
        machine={
            "versions": {"celldsl": "0.1.0", "torch": "2.13.0"},
            "system": "Linux x86_64",
            "processor": "A processor",
            "features": ["avx2"],
            "cores": 2,
            "threads": 2,
        },
        cells=list(cells) or [cell(name, at) for at, name in enumerate(("LSTM", "LSTM1", "LSTM2", "LSTM3", "ULSTM"))],
        reference=Timing(1.0, 0.97, 1.04, 1.51, 1),
        seconds=83.2,
    )


PUBLISHED = Published(0.9816, "Nobody & Noone 2017, Table II")
