"""Target `cpu`: plain C++ for a whole sequence, forward and backward."""

from celldsl.emit.cpu.arguments import Arguments
from celldsl.emit.cpu.module import emit

__all__ = ["Arguments", "emit"]
