"""The catalogue as one self-contained web page: typeset equations, pictures, formulas, relatives, and a search box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from celldsl.api import CompiledCell, compile
from celldsl.catalogue import Entry, families, flow, mathml
from celldsl.check.cell import Cell
from celldsl.formulas import plain
from celldsl.symbolic.difference import find_differences
from celldsl.syntax import tree


def render(entries: Sequence[Entry], proofs: Mapping[str, Sequence[Mapping[str, Any]]] | None = None) -> str:
    """The page of these entries. proofs: of claims, by the name of the spec: `claim` and whether it `holds`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("celldsl.catalogue", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    named = {entry.name: entry.spec for entry in entries}
    return environment.get_template("page.html.jinja").render(
        entries=entries,
        families=families(entries),
        cells=[_told(entry, compile(entry.spec), entries, named, (proofs or {}).get(entry.spec)) for entry in entries],
    )


def _told(
    entry: Entry,
    cell: CompiledCell,
    entries: Sequence[Entry],
    named: Mapping[str, str],
    proofs: Sequence[Mapping[str, Any]] | None,
) -> dict[str, Any]:
    """All that the page shows of one cell."""
    checked = cell.checked
    children = [other for other in entries if other.parent.lower() == entry.name.lower()]
    siblings = [o for o in entries if entry.parent and o.parent == entry.parent and o.spec != entry.spec]
    mentioned = [other.name for other in checked.relatives if other.name not in (entry.name, entry.parent)]
    return {
        "entry": entry,
        "about": checked.doc,
        "cites": checked.cites,
        "equations": [(mathml.equation(each.written), each.label or "") for each in (*checked.derived, *checked.steps)],
        "settings": [(mathml.name(each.name), each.text) for each in checked.settings],
        "functions": [mathml.function(each) for each in _items(checked) if isinstance(each, tree.Def)],
        "picture": flow.svg(checked),
        "sizes": [
            ("parameters", plain(cell.params)),
            ("FLOPs per step", plain(cell.flops)),
            ("numbers carried", plain(cell.state_size)),
        ],
        "roles": [
            (title, [(mathml.name(name), width) for name, width in names.items()])
            for title, names in (
                ("inputs", cell.inputs),
                ("states", cell.states),
                ("intermediates", cell.intermediates),
                ("parameters", cell.parameters),
            )
            if names
        ],
        "claims": proofs if proofs is not None else [{"claim": claim, "holds": None} for claim in entry.claims],
        "parent": named.get(entry.parent),
        "changes": _changes(checked),
        "links": [
            (title, [(named[name], name) for name in names if name in named])
            for title, names in (
                ("variants", [each.name for each in children]),
                ("beside it", [each.name for each in siblings]),
                ("compared with", mentioned),
            )
            if any(name in named for name in names)
        ],
    }


def _items(cell: Cell) -> Sequence[tree.Item]:
    return cell.definition.items if cell.definition else ()


def _changes(cell: Cell) -> list[tuple[str, str, str]]:
    """What differs from the parent: the name, what the parent says, what this cell says."""
    from celldsl.relatives import find

    parent = find(cell.parent) if cell.parent else None
    if parent is None:
        return []
    return [(each.name, each.left, each.right) for each in find_differences(parent, cell)]
