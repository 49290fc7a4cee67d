"""The package in which compiled cells live as modules: `celldsl.runtime.emitted.lstm1_4f0c…`.

It has no code of its own. Its path is the cache folder that `load` writes emitted text to, so a class of an
emitted module is found by its name from any process: pickles, tracebacks and TorchScript work as they do for a
file written by hand.
"""

from celldsl.runtime.cache import folder

__path__ = [str(folder())]
