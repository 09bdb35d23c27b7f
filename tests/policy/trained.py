"""Releases that declare training data, and what a policy makes of them."""

from dataclasses import replace
from typing import Any

from registry.artifacts.training.document import Dataset
from registry.policy.evidence import DeclaredTraining, DocumentState
from registry.policy.verdict import Verdict
from tests.policy.world import MODEL, World, artifact, codes, policy

DIGEST = "sha256:" + "ab" * 32
PERIOD = {"from": "2026-01-01", "to": "2026-02-28"}
SERVICE = {"provider": "OpenAI", "model": "gpt-4o", "snapshot": "gpt-4o-2024-08-06", "period": PERIOD}
DOCUMENT = b"\7" * 32

ASKED: list[dict[str, Any]] = [
    {"disclosure": "full"},
    {"pinned": True},
    {"refuse_datasets": [DIGEST]},
    {"refuse_licenses": ["MIT"]},
    {"outputs": "permitted"},
    {"outputs": "refused"},
]


def dataset(**said: Any) -> Dataset:
    return Dataset.model_validate({"name": "pairs", "role": "finetuning", "disclosure": "full", **said})


def outputs(**teacher: Any) -> Dataset:
    return dataset(name="answers", role="outputs", teacher=teacher)


class Trained(World):
    """A registry in which releases declare training data."""

    def train(self, *datasets: Dataset, state: str = "available", croissant: Any = None, **more: Any) -> bytes:
        release = self.publish(training_data=DOCUMENT, **more)
        known = DeclaredTraining(DocumentState(DOCUMENT, state, "It is not there."), datasets, croissant)
        self.releases[release] = replace(self.releases[release], training=known)
        return release

    def verdict(self, **asked: Any) -> Verdict:
        return self.judge(artifact(MODEL), policy(lineage="declared", training_data=asked))


def of_training(verdict: Verdict) -> list[str]:
    return [code for code in codes(verdict) if code.startswith("training-")]
