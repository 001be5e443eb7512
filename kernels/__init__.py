"""Triton kernels (arXiv and sources are named where they are used), imported as omnirt.kernels.

A module is called as its op family is: kernels/norm.py serves ops/reference/norm.py. Its functions
check shapes, refuse what a kernel cannot do and return a Call (call.py): a kernel, its arguments
and grid. registry.py lists the calls of the released models; aot.py compiles them without a GPU.
"""

from triton import knobs

if knobs.runtime.interpret:
    from . import interpreter

    interpreter.install()
