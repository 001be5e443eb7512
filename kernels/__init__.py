"""Triton kernels (arXiv and sources are named where they are used), imported as omnirt.kernels.

The CUDA backend starts here. A module is called as its op family is: kernels/norm.py serves
ops/reference/norm.py. Launchers check shapes and refuse what a kernel cannot do.
"""
