"""Python names for the names of equations.

A parameter is registered under its own name, so that a state dict reads like the paper; `getattr(self, "lambda")`
reads one that Python has for a keyword. Names that `torch.nn.Module` itself has (`training`, `forward`), and the few
that a saved TorchScript module cannot be loaded with (`class`, `torch`), get an underscore at the end: `training_`.
Local variables step aside for keywords, builtins and the module's own names in the same way.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable

MODULE_ATTRIBUTES = frozenset(
    """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches
    eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu
    load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to
    to_empty train training type xpu zero_grad
    """.split()  # noqa: SIM905
)
"""What `torch.nn.Module` has that no parameter can be called (names with a leading underscore apart)."""

UNREADABLE = frozenset(
    """
    False None True and as assert break class continue def del elif else for global if import in is not or pass
    raise return while with torch ops CONSTANTS annotate unchecked_cast uninitialized
    """.split()  # noqa: SIM905
)
"""What the parser of saved TorchScript takes for something else."""

MODULE_GLOBALS = frozenset(
    """
    torch nn F math warnings Tensor PackedSequence Dict Final List Optional Tuple State self
    expect delayed full joined padded dropout_mask locked_mask zoneout_mask
    blockwise block_diagonal symmetric orthogonal spectral
    """.split()  # noqa: SIM905
)
"""The names of an emitted module that its functions read."""


class Scope:
    """Hands out names, each once; one that is taken gets underscores at its end."""

    def __init__(self, taken: Iterable[str] = ()):
        self.taken = set(taken)

    def new(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def attributes() -> Scope:
    """A scope for the attributes of a module."""
    return Scope(MODULE_ATTRIBUTES | UNREADABLE)


def variables(*taken: str) -> Scope:
    """A scope for local variables and arguments."""
    return Scope({*keyword.kwlist, *dir(builtins), *MODULE_GLOBALS, *taken})


def attribute(scope: Scope, name: str) -> str:
    """An attribute's name. A name in underscores belongs to Python."""
    return scope.new(f"{name}_" if name.startswith("_") else name)


def read(attribute: str) -> str:
    """The expression that reads an attribute."""
    return f'getattr(self, "{attribute}")' if keyword.iskeyword(attribute) else f"self.{attribute}"


def assign(attribute: str, value: str) -> str:
    """The statement that sets an attribute."""
    return f'setattr(self, "{attribute}", {value})' if keyword.iskeyword(attribute) else f"self.{attribute} = {value}"


def class_name(name: str) -> str:
    """The name of the layer's class."""
    return Scope({*keyword.kwlist, *MODULE_GLOBALS}).new(name)
