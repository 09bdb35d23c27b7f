"""Artifacts: the files of a model, their digest, and the manifest that describes a release."""
