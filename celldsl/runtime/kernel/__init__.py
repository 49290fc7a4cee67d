"""Kernels: C++ built by the user's compiler, called by torch."""
