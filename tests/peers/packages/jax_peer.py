"""A step written in JAX as a peer: scanned, differentiated by `jax.vjp`, compiled as one, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from tests.peers.rows import Answer, Array, Arrays

Step = Callable[[dict[str, Any], Any, tuple[Any, ...]], tuple[Any, tuple[Any, ...]]]


class JaxPeer:
    """step: parameters by name, x_t and the states to the output and the states after."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], step: Step):
        self._shapes, self.step = dict(shapes), step

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return self._shapes

    def run(self, weights: Arrays, x: Array, states: tuple[Array, ...], cotangents: tuple[Array, ...]) -> Answer:
        def sequence(parameters: Any, x: Any, states: Any) -> Any:
            def step(carried: Any, x_t: Any) -> Any:
                output, after = self.step(parameters, x_t, carried)
                return after, output

            after, output = jax.lax.scan(step, states, x)
            return output, after

        @jax.jit
        def run(weights: Any, x: Any, states: Any, seeds: Any) -> Any:
            results, pull = jax.vjp(sequence, weights, x, states)
            return results, pull((seeds[0], seeds[1:]))

        with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
            (output, after), (d_weights, d_x, d_states) = run(weights, x, states, cotangents)
            return Answer(
                np.asarray(output),
                tuple(map(np.asarray, after)),
                {name: np.asarray(value) for name, value in d_weights.items()},
                np.asarray(d_x),
                tuple(map(np.asarray, d_states)),
            )
