"""The symbolic form of a checked cell, and what follows from it.

`lower` makes the form. The analyses read a form or its cell: `counts` (parameters, FLOPs, state), `dependence` (what
leaves the time loop), `adjoint` (the backward pass), `intervals`, `linearity`, `equality` and `claims`.
"""

from celldsl.symbolic.form import Form, Line, Opaque, Product
from celldsl.symbolic.lower import lower

__all__ = ["Form", "Line", "Opaque", "Product", "lower"]
