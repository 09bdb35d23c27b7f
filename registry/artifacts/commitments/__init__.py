"""Commitments to sets of training records: a sorted Merkle tree whose root shows nothing, and proofs that a record is
in the set or is not. What a proof shows is about the set that was committed to, never about what a training run read.
"""
