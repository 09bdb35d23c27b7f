"""Readers of model files: what a header says, from bytes alone. Nothing is loaded, run or trusted.

Each takes a seekable stream and its size, bounds what it reads and keeps before it does so, and raises
InvalidModelFile, with the reason, for anything else than its format.
"""
