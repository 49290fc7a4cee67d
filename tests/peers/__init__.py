"""The shipped cells against other people's implementations of them.

A row says which cell of which package is which spec, and which of its tensors hold which parameters. `measure` copies
the weights over and compares outputs, final states, every gradient and the number of parameters, in float64. What a
package computes otherwise than the paper stands in its table too, with the reason, and the test shows the difference.
"""
