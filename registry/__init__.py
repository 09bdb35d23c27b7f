"""The Model Provenance Registry: who published which model, under which licence, derived from what."""

__version__ = "0.1.0"
