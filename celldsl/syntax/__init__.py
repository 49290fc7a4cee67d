"""The syntax of specs: `parse` reads a text into a `tree` (`read` as much of one as it
can), `write` prints a tree as text again.

`cell.lark` is the reference of the language; the other files read what a grammar cannot say.
"""

from celldsl.syntax.parse import parse, read
from celldsl.syntax.write import write

__all__ = ["parse", "read", "write"]
