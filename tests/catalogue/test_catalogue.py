"""The catalogue of shipped cells: what is said of each, and how it is searched."""

from __future__ import annotations

import json

import pytest

import celldsl
from celldsl.catalogue import catalogue
from celldsl.catalogue.features import TIERS, tier
from celldsl.cli.main import main


@pytest.fixture(scope="module")
def entries():
    return {entry.spec: entry for entry in catalogue()}


def test_every_spec_has_an_entry_with_its_paper(entries):
    assert sorted(entries) == celldsl.zoo()
    for entry in entries.values():
        assert entry.about
        assert entry.paper
        assert entry.family
        assert entry.claims
        assert entry.parameters
    assert entries["lstm"].year == 2017  # Lu & Salem's equations; the first cite is that whose labels they carry
    assert entries["greff_np"].parent == "Peephole_LSTM"
    assert entries["mgu"].family == "mgu"


@pytest.mark.parametrize(
    ("spec", "has", "lacks"),
    [
        ("qrnn_f", {"input delays", "scannable"}, {"peepholes"}),
        ("tau_gru", {"state delays"}, {"input delays", "scannable"}),
        ("lstm3", {"constant gates", "several states"}, {"peepholes"}),
        ("peephole_lstm", {"peepholes"}, {"scannable"}),
        ("layernorm_lstm", {"layer norm"}, {"matrix algebra"}),
        ("lipschitz_rnn", {"matrix algebra", "settings"}, {"layer norm"}),
        ("indrnn", {"elementwise recurrence"}, {"scannable"}),
        ("time_lstm", {"several inputs"}, {"scannable"}),
        ("mut1", set(), {"constant gates"}),
        ("fastrnn", {"scalar parameters"}, set()),
        ("lru", {"scannable", "linear in a state", "output is no state"}, {"elementwise recurrence"}),
        ("darts_rnn", set(), {"scannable", "linear in a state"}),
    ],
)
def test_features(entries, spec, has, lacks):
    assert has <= set(entries[spec].features)
    assert not lacks & set(entries[spec].features)


def test_tiers():
    assert tier(()) == tier(("several states", "settings")) == 1
    assert tier(("several states", "input delays")) == 2
    assert set(TIERS.values()) == {2}


def test_search(capsys):
    def found(*arguments: str) -> list[str]:
        main(["zoo", "--json", *arguments])
        return [entry["spec"] for entry in json.loads(capsys.readouterr().out)]

    assert found("heck", "SALEM") == ["mgu1", "mgu2", "mgu3"]
    assert found("--family", "typed") == ["t_gru", "t_lstm", "t_rnn"]
    assert set(found("--feature", "input delay", "--year", "2016")) == {"t_gru", "t_lstm"}
    assert found("no such words") == []


def test_claims_are_proved_where_asked(capsys):
    assert main(["zoo", "--family", "mgu", "--verify"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "  all " in line]) == len(lines) - 1 == 5


def test_what_does_not_fit_is_said(capsys):
    assert main(["zoo", "no such words"]) == 1
    assert "no shipped cell" in capsys.readouterr().err
    assert main(["zoo", "--year", "lately"]) == 2
    assert "2014-2018" in capsys.readouterr().err
