"""What releases declare of their training data."""

from typing import Any

from api.examples.records import AS_OF, CLAIM

_DOCUMENT = "sha256:9d2f6ab6a4d27b0f3c23bbd9ee8f0d3f49cd02f0d9de2b1b6c0c93c4a07d4a52"

_DATASET: dict[str, Any] = {
    "position": 0,
    "pinned": False,
    "teacher_pinnable": False,
    "declared": {
        "disclosure": "committed",
        "commitment": "sha256:5a9c1d0a83f8dd0fbb0c6f1ae22a7c3a54ac0db3cbbd6c94c1a0e0b3b1d1f0aa",
        "name": "answers",
        "role": "outputs",
        "teacher": {
            "service": {
                "model": "gpt-4o",
                "period": {"from": "2026-01-01", "to": "2026-02-28"},
                "provider": "OpenAI",
                "snapshot": "gpt-4o-2024-08-06",
            }
        },
    },
}

DECLARATIONS: dict[str, Any] = {
    "release": CLAIM["release"],
    "cut": False,
    "items": [
        {
            "depth": 0,
            "release": CLAIM["release"],
            "publisher": CLAIM["publisher"],
            "name": "my-model",
            "version": "1",
            "state": "available",
            "detail": None,
            "document": {
                "digest": _DOCUMENT,
                "cid": "bafkreie5f5vlnjgspmhtyi533hxi6dj7jhgqf4gz3yvrw3amsocka7kkki",
                "form": "training-data-manifest",
            },
            "datasets": [_DATASET],
            "datasets_from": 0,
            "datasets_total": 1,
        },
        {
            "depth": 1,
            "release": "release:0x" + "5f" * 32,
            "publisher": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "name": "base",
            "version": "1",
            "state": "undisclosed",
            "detail": "The publisher says nothing about the training data of this release.",
            "document": None,
            "datasets": None,
            "datasets_from": None,
            "datasets_total": None,
        },
    ],
    "next": None,
    "as_of": AS_OF,
}

NAMED: dict[str, Any] = {
    "items": [{"claim": CLAIM, "document": _DOCUMENT, "dataset": _DATASET}],
    "next": None,
    "coverage": {"training_data": {"read": 1, "of": 1}, "undisclosed": 2},
    "as_of": AS_OF,
}
