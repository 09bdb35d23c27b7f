"""What the four contracts record, and the health of the service."""

from typing import Any

from api.examples.records import AS_OF, CLAIM

PUBLISHER: dict[str, Any] = {
    "publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "freeze": None,
    "guardian": {
        "guardian": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "since": 1796004285,
        "next": None,
        "next_from": None,
    },
    "delegates": {
        "items": [
            {
                "delegate": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
                "scopes": ["publish"],
                "expires": None,
                "in_force": True,
                "seq": 0,
                "timestamp": 1796004284,
                "block": {"number": 9, "hash": "0xe6a29c4ae5c21b55d63e9e28ec2160f1cd0930456b64209a78da7db9470d9b33"},
                "transaction": "0xa0ba66e60c124197b2e145641e8bf2064fc2c11a78d17958245128afe7ce2db1",
            }
        ],
        "next": None,
    },
    "as_of": AS_OF,
}

MODELS: dict[str, Any] = {
    "items": [
        {
            "publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "name": "my-model",
            "versions": 1,
            "first": 1796004269,
            "latest": 1796004269,
        }
    ],
    "next": None,
    "as_of": AS_OF,
}

VERSIONS: dict[str, Any] = {"items": [CLAIM], "next": None, "as_of": AS_OF}

ANCHORS: dict[str, Any] = {
    "items": [
        {
            "anchor": "anchor:0xbf0f41f93b644ada362c11a300b588e57c87ddab801b12a95788e4aa48279e0d",
            "publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "actor": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "root": "0x0707070707070707070707070707070707070707070707070707070707070707",
            "count": 3,
            "list": "bafybeibvlfofpxldij6f3xxhhvkzh5ligq3cavdo5dd3dpbj3sewvmohsy",
            "withdrawn": None,
            "seq": 2,
            "timestamp": 1796004283,
            "block": {"number": 8, "hash": "0xa90ba00e2b4bb33ade125c862c94f10f57e2ed97d9c1848965d6944d165283a6"},
            "transaction": "0x9c156a9be42b68fdd3b4883cd083037e4fb086ae9476ddb97155ccd1c376a16d",
        }
    ],
    "next": None,
    "as_of": AS_OF,
}

SEARCH: dict[str, Any] = MODELS | {
    "next": "WyJzZWFyY2giLCJteS1tb2RlbCIsIjB4ZjM5RmQ2ZTUxYWFkODhGNkY0Y2U2YUI4ODI3Mjc5Y2ZmRmI5MjI2NiJd",
}

TERMS: dict[str, Any] = {
    "terms": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
    "document": "sha256:0136ef2cf00d93de11ff11e23574f6cf749f6c90e54368925462c408287d2496",
    "uses": {
        "run": "allowed",
        "commercial": "allowed",
        "redistribute": "conditional",
        "modify": "allowed",
        "distil": "allowed",
        "train_on_outputs": "unknown",
    },
    "registered_by": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "seq": 0,
    "timestamp": 1796004282,
    "block": {"number": 7, "hash": "0xd839d9cf440f987ac614c32f4017c4f8afe01168730a5eb3e91638066a0f93a0"},
    "transaction": "0xe76a617b9ae3bb67a8a9ce567f2cb2fb0ece5bbc84103aef7e005226b3cc4356",
    "as_of": AS_OF,
}

GRANTS: dict[str, Any] = {
    "items": [
        {
            "release": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
            "publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "actor": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "grantee": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "uses": ["run"],
            "from": 0,
            "until": None,
            "irrevocable": False,
            "revision": 1,
            "seq": 1,
            "timestamp": 1796004286,
            "block": {"number": 11, "hash": "0xd3e37c627feb3cd33a7f05fbf88fa8393a1c9baf7e5212267be49c04250c2744"},
            "transaction": "0xf86fef29425d3a0e216bd8f3e20b0d774325b3b4f1db974022d700c82e81faf9",
        }
    ],
    "next": None,
    "as_of": AS_OF,
}

STATEMENTS: dict[str, Any] = {
    "items": [
        {
            "statement": "statement:0x10e976f59b7b723e861e83d1b3eeb84d553f07814ee3ec4e0871cea3b66a70cf",
            "kind": "audit",
            "issuer": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "actor": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "subject_kind": "artifact",
            "subject": "bafybeibvlfofpxldij6f3xxhhvkzh5ligq3cavdo5dd3dpbj3sewvmohsy",
            "document": "sha256:b81f37a043a6f767e7c94d105f4bd31282f3ecc20680bb9d09bd93461cf4c863",
            "document_cid": "bafkreifyd432aq5g65t6pskncbpuxuysqlz6zqqgqc5z2cn5sndbz5gimm",
            "expires": None,
            "retracted": None,
            "in_force": True,
            "seq": 0,
            "timestamp": 1796004287,
            "block": {"number": 12, "hash": "0x3ad845dfbf9c3b920df6ed4427c734ec3d1000c31fe2358871a81dacca1d95bc"},
            "transaction": "0x31d8c0897e99fc0851c143c9b4a5f6dca7a022ccc0a23e873748d3c32c09a268",
        }
    ],
    "next": None,
    "as_of": AS_OF,
}

HISTORY: dict[str, Any] = {
    "items": [
        {
            "event": "status",
            "release": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
            "publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "actor": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "status": "deprecated",
            "reason": "superseded",
            "detail": None,
            "successor": None,
            "contract": "ModelRegistry",
            "seq": 3,
            "timestamp": 1790000000,
            "block": {"number": 9, "hash": "0x" + "5a" * 32},
            "transaction": "0x" + "b7" * 32,
        }
    ],
    "next": None,
    "as_of": AS_OF,
}

LINEAGE: dict[str, Any] = {
    "release": "release:0xe6575a95a6d5ca45b7f670239645b0db01a339990a83b840b9bfeaa8322a9ad7",
    "cut": False,
    "items": [
        {
            "depth": 1,
            "child": "release:0xe6575a95a6d5ca45b7f670239645b0db01a339990a83b840b9bfeaa8322a9ad7",
            "parent": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
            "relation": "quantization",
        }
    ],
    "next": None,
    "as_of": AS_OF,
}

LOG: dict[str, Any] = {
    "logs": [
        {
            "contract": "PublisherRegistry",
            "address": "0x262E0dB4e23BB2967B544d8d0645B9ac61840f2d",
            "size": 2,
            "head": "0x41f7c0308e6ee22be6f3b0af9499c395a484e795a96e01cc1e903b3143a5e3a6",
        },
        {
            "contract": "ModelRegistry",
            "address": "0x1Ce1963f206a08948e4DB6420BaFB01a58cAC432",
            "size": 4,
            "head": "0x4b32f78c57c29608240446e5dce0fa3126483f2542431cd3e674cb370c10b88d",
        },
        {
            "contract": "LicenseRegistry",
            "address": "0xE5a366fC74d9cE6c2f40769c30Eb645798BcA0B5",
            "size": 2,
            "head": "0xdf6585f673df0b3811b146b7d815f196eebebaa07e7245b202e0e111a61f406f",
        },
        {
            "contract": "StatementRegistry",
            "address": "0xD7B0eC979fDC351B07f10b0Bc015cc51d6Ce1563",
            "size": 1,
            "head": "0xeb048035494bfd7260904bd11f6bef91137ea08a2a323c083f7d2a04defd44bd",
        },
    ],
    "as_of": AS_OF,
}

PERMISSION: dict[str, Any] = {
    "release": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
    "publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "account": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "terms": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
    "uses": {
        "run": {
            "state": "allowed",
            "code": "terms",
            "message": "the terms say allowed: Section 2 grants the right to reproduce the Work and Section 3 the right to use it; neither limits the use.",
        }
    },
    "as_of": AS_OF,
}

TERMS_PERMISSION: dict[str, Any] = {
    "terms": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
    "registered": True,
    "uses": {
        "commercial": {
            "state": "allowed",
            "code": "terms",
            "message": "the terms say allowed: Sections 2 and 3 name no field of use, and Section 3 includes the right to sell.",
        }
    },
    "as_of": AS_OF,
}

READY: dict[str, Any] = {"status": "ready", "block": 13, "chain_head": 13, "behind": 0, "records": 9}

ALIVE: dict[str, Any] = {"status": "ok"}
