"""Answers as the OpenAPI document shows them: taken from a local stack, and held against their schemas by a test."""
