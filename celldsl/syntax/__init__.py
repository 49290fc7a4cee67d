"""The syntax of specs: `parse` reads a text into a `tree`, `write` prints a tree as text again.

`cell.lark` is the reference of the language; the other files read what a grammar cannot say.
"""

from celldsl.syntax.parse import parse
from celldsl.syntax.write import write

__all__ = ["parse", "write"]
