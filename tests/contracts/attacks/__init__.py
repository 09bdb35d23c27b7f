"""Attacks on the contracts, each by name, and random histories of the whole system, on an anvil of their own."""
