"""Answers as the OpenAPI document shows them: taken from a local stack with one small model."""

from typing import Any

VERDICT: dict[str, Any] = {
    "as_of": {
        "block": {
            "hash": "0x7d80234e4222819872b607cc8332a575457a983c78c0e230bb0e93941b6492f2",
            "number": 2,
            "timestamp": 1795495026,
        },
        "chain_id": 31337,
        "contracts": {"model_registry": "0x789E4d5a5A268D9bD45bBd2291EA5E62f0560d04"},
        "finality": "latest",
        "finalized": 0,
        "safe": 1,
    },
    "claims": [
        {
            "artifact": "bafybeiebfzbgod24imeviksl7pcjltgzhubqqqtgfgtagwepv3wgnbbpaa",
            "counted": True,
            "first_claim": True,
            "found_at": [],
            "license": "Apache-2.0",
            "manifest": "available",
            "match": "exact",
            "name": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8/my-model",
            "publisher": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "release": "release:0x953bff25cfe9185dc05f54d920c4a5ad37d7ebbed671d56e3cd562ee5e0db600",
            "sha256": None,
            "shared": None,
            "since": 1795495026,
            "status": "active",
            "status_reason": "unspecified",
            "successor": None,
            "terms": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
            "version": "1.0",
        }
    ],
    "claims_total": 1,
    "coverage": {"manifests": {"of": 1, "read": 1}},
    "documents": [
        {"digest": "sha256:105fd7adb7c69092b57972b64666b7a00afcb37dcad28f1ee34ee2c9b2f2604e", "state": "available"},
        {"digest": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a", "state": "available"},
    ],
    "match": {
        "changed": [],
        "extra": [],
        "found_at": [],
        "kind": "exact",
        "missing": [],
        "release": "release:0x953bff25cfe9185dc05f54d920c4a5ad37d7ebbed671d56e3cd562ee5e0db600",
        "sha256": None,
        "shared": None,
    },
    "policy": "sha256:58c13e53f4b9d65745550ce30e4c9d1836d884856963d4bf77042aead5d84dc0",
    "reasons": [
        {
            "code": "use-allowed",
            "effect": "allow",
            "release": "release:0x953bff25cfe9185dc05f54d920c4a5ad37d7ebbed671d56e3cd562ee5e0db600",
            "sentence": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8/my-model@1.0 allows the use "
            "“commercial” (Apache-2.0).",
            "use": "commercial",
        }
    ],
    "subject": {"id": "bafybeiebfzbgod24imeviksl7pcjltgzhubqqqtgfgtagwepv3wgnbbpaa", "kind": "artifact"},
    "verdict": "allow",
}

RELEASE: dict[str, Any] = {
    "release": "release:0x953bff25cfe9185dc05f54d920c4a5ad37d7ebbed671d56e3cd562ee5e0db600",
    "publisher": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "name": "my-model",
    "version": "1.0",
    "artifact": "bafybeiebfzbgod24imeviksl7pcjltgzhubqqqtgfgtagwepv3wgnbbpaa",
    "manifest": {
        "digest": "sha256:105fd7adb7c69092b57972b64666b7a00afcb37dcad28f1ee34ee2c9b2f2604e",
        "cid": "bafkreiaql7l23n6gscjlk6lswzdgnn5abl6lg7ok2khr5y2o4le3f4tajy",
        "state": "available",
        "detail": None,
    },
    "terms": {
        "id": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
        "state": "available",
        "license": "Apache-2.0",
    },
    "status": {"status": "active", "reason": "unspecified", "since": None, "successor": None},
    "first_claim": True,
    "training_data": {"disclosure": "undisclosed"},
    "parents": [],
    "external_parents": [],
    "children": [],
    "files": [
        {
            "path": "config.json",
            "size": 25,
            "cid": "bafkreigcwhgjsxayvden2yyoq5x5dsco44m247t7yovgcioqkiq32fe7nq",
            "sha256": "c2b1cc995c18a8c8dd630e876fd1c84ee719ae7e7fc3aa6121d05221bd149f6c",
            "sha256_state": "proven",
        },
        {
            "path": "model.safetensors.bin",
            "size": 2000000,
            "cid": "bafybeifpu5lvuoabecqjmouocadqx5jhgjcc67nr7g5sequsiqnklehk6u",
            "sha256": "132ee7ce167d2fc42892f67f2097d60feac0dc40277cd55c547f3f1d78d44caf",
            "sha256_state": "declared",
        },
    ],
    "files_total": 2,
    "files_next": None,
    "status_history": [],
    "record": {
        "seq": 0,
        "timestamp": 1795495026,
        "actor": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "since": 1795495026,
        "record_hash": "0x89335bd563b13f02995be7a118b7ff1532b3ff1fa0d9c58d971d1d996d1ddbf6",
        "block_number": 2,
        "block_hash": "0x7d80234e4222819872b607cc8332a575457a983c78c0e230bb0e93941b6492f2",
        "transaction": "0x0802f92e2153c1b8d815b162b94c390a4e987742e289ecbe57c3ae1cf1b23fb7",
        "finality": "pending",
    },
    "as_of": {
        "block": {
            "hash": "0x7d80234e4222819872b607cc8332a575457a983c78c0e230bb0e93941b6492f2",
            "number": 2,
            "timestamp": 1795495026,
        },
        "chain_id": 31337,
        "contracts": {"model_registry": "0x789E4d5a5A268D9bD45bBd2291EA5E62f0560d04"},
        "finality": "latest",
        "finalized": 0,
        "safe": 1,
    },
}

ARTIFACT: dict[str, Any] = {
    "artifact": "bafybeiebfzbgod24imeviksl7pcjltgzhubqqqtgfgtagwepv3wgnbbpaa",
    "claims": [
        {
            "release": "release:0x953bff25cfe9185dc05f54d920c4a5ad37d7ebbed671d56e3cd562ee5e0db600",
            "publisher": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "name": "my-model",
            "version": "1.0",
            "artifact": "bafybeiebfzbgod24imeviksl7pcjltgzhubqqqtgfgtagwepv3wgnbbpaa",
            "manifest": {
                "digest": "sha256:105fd7adb7c69092b57972b64666b7a00afcb37dcad28f1ee34ee2c9b2f2604e",
                "cid": "bafkreiaql7l23n6gscjlk6lswzdgnn5abl6lg7ok2khr5y2o4le3f4tajy",
                "state": "available",
                "detail": None,
            },
            "terms": {
                "id": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
                "state": "available",
                "license": "Apache-2.0",
            },
            "status": {"status": "active", "reason": "unspecified", "since": None, "successor": None},
            "first_claim": True,
        }
    ],
    "claims_total": 1,
    "as_of": {
        "block": {
            "hash": "0x7d80234e4222819872b607cc8332a575457a983c78c0e230bb0e93941b6492f2",
            "number": 2,
            "timestamp": 1795495026,
        },
        "chain_id": 31337,
        "contracts": {"model_registry": "0x789E4d5a5A268D9bD45bBd2291EA5E62f0560d04"},
        "finality": "latest",
        "finalized": 0,
        "safe": 1,
    },
}

OMS: dict[str, Any] = {
    "oms": "oms:5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f",
    "binds_names": False,
    "note": "The root finds a release and proves no more: it binds the files' bytes and their order, not their names.",
    "claims": ARTIFACT["claims"],
    "claims_total": 1,
    "coverage": {"manifests": {"read": 1, "of": 1}},
    "as_of": ARTIFACT["as_of"],
}

BATCH: dict[str, Any] = {
    "as_of": VERDICT["as_of"],
    "results": [
        VERDICT,
        {
            "problem": {
                "type": "urn:model-provenance-registry:error:input.identifier",
                "title": "Bad Request",
                "status": 400,
                "detail": "This is bare hex: say what it is by a prefix, such as sha256: or release:0x.",
                "code": "input.identifier",
            }
        },
    ],
}

FILE: dict[str, Any] = {
    "file": "sha256:c2b1cc995c18a8c8dd630e876fd1c84ee719ae7e7fc3aa6121d05221bd149f6c",
    "found": [RELEASE["files"][0] | {"claim": ARTIFACT["claims"][0]}],
    "coverage": {"manifests": {"read": 1, "of": 1}},
    "as_of": ARTIFACT["as_of"],
    "next": None,
}

EVENTS = """retry: 2000

id: 1.2147483647.7d80234e4222819872b607cc8332a575457a983c78c0e230bb0e93941b6492f2
event: ready
data: {"after_block": 1}

id: 2.0.7d80234e4222819872b607cc8332a575457a983c78c0e230bb0e93941b6492f2
event: release
data: {"release": "release:0x953bff25cfe9185dc05f54d920c4a5ad37d7ebbed671d56e3cd562ee5e0db600", "name": "my-model"}

"""

RECORD: dict[str, Any] = {
    "release": RELEASE["release"],
    "chain_id": 31337,
    "model_registry": "0x789E4d5a5A268D9bD45bBd2291EA5E62f0560d04",
    "publisher": RELEASE["publisher"],
    "name": "my-model",
    "version": "1.0",
    "artifact": RELEASE["artifact"],
    "manifest": RELEASE["manifest"]["digest"],
    "terms": RELEASE["terms"]["id"],
    "training_data": None,
    "parents": [],
    "seq": 0,
    "timestamp": 1795495026,
    "actor": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "since": 1795495026,
    "record_hash": RELEASE["record"]["record_hash"],
    "block": {"number": 2, "hash": RELEASE["record"]["block_hash"]},
    "transaction": RELEASE["record"]["transaction"],
}
