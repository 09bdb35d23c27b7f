"""Verdicts."""

from typing import Any

from api.examples.records import AS_OF

VERDICT: dict[str, Any] = {
    "as_of": AS_OF,
    "claims": [
        {
            "access": "public",
            "artifact": "bafybeibvlfofpxldij6f3xxhhvkzh5ligq3cavdo5dd3dpbj3sewvmohsy",
            "counted": True,
            "first_claim": True,
            "found_at": [],
            "license": "Apache-2.0",
            "manifest": "available",
            "match": "exact",
            "name": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266/my-model",
            "publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "release": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
            "sha256": None,
            "shared": None,
            "since": 1796004269,
            "status": "deprecated",
            "status_reason": "superseded",
            "successor": None,
            "terms": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
            "version": "1",
        }
    ],
    "claims_total": 1,
    "coverage": {"manifests": {"of": 2, "read": 2}},
    "documents": [
        {"digest": "sha256:44b858ea0782be053b2e7da9469f7bc4eda5f9f7f526ffd10cc0135ebcd25957", "state": "available"},
        {"digest": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a", "state": "available"},
    ],
    "match": {
        "changed": [],
        "extra": [],
        "found_at": [],
        "kind": "exact",
        "missing": [],
        "release": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
        "sha256": None,
        "shared": None,
    },
    "policy": "sha256:1eee7eacbfabb9c6cf6b3312ac4e2217cebbd2e18ef051ed1f0c304f3f005dd6",
    "reasons": [
        {
            "code": "use-allowed",
            "effect": "allow",
            "release": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
            "sentence": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266/my-model@1 allows the use “commercial” (Apache-2.0).",
            "use": "commercial",
        },
        {
            "code": "deprecated",
            "effect": "info",
            "release": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
            "sentence": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266/my-model@1 is deprecated by its publisher (superseded).",
        },
    ],
    "subject": {"id": "bafybeibvlfofpxldij6f3xxhhvkzh5ligq3cavdo5dd3dpbj3sewvmohsy", "kind": "artifact"},
    "verdict": "allow",
}

BATCH: dict[str, Any] = {
    "as_of": AS_OF,
    "results": [
        VERDICT,
        {
            "problem": {
                "code": "input.identifier",
                "detail": "\u201cabababababababababababababababababababababababababababababababab\u201d does not say what it is. Add its prefix: sha256:abababababababababababababababababababababababababababababababab for a file, release:0xabababababababababababababababababababababababababababababababab for a release, terms:0xabababababababababababababababababababababababababababababababab for terms, oms:abababababababababababababababababababababababababababababababab for an OpenSSF Model Signing root; an artifact is named by its CID.",
                "details": {"given": "abababababababababababababababababababababababababababababababab"},
                "status": 400,
                "title": "Bad Request",
                "type": "urn:model-provenance-registry:error:input.identifier",
            }
        },
    ],
}
