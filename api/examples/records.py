"""Releases, and what leads to them."""

from typing import Any

AS_OF: dict[str, Any] = {
    "chain_id": 31337,
    "contracts": {"model_registry": "0x1Ce1963f206a08948e4DB6420BaFB01a58cAC432"},
    "block": {
        "number": 13,
        "hash": "0x7129b9b31371fdd5bdef81b8a0aae18d41ee379fee4f4e873c4454b83b7d4a7e",
        "timestamp": 1796004288,
    },
    "finality": "latest",
    "safe": 12,
    "finalized": 11,
}

CLAIM: dict[str, Any] = {
    "release": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
    "publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "name": "my-model",
    "version": "1",
    "artifact": "bafybeibvlfofpxldij6f3xxhhvkzh5ligq3cavdo5dd3dpbj3sewvmohsy",
    "manifest": {
        "digest": "sha256:44b858ea0782be053b2e7da9469f7bc4eda5f9f7f526ffd10cc0135ebcd25957",
        "cid": "bafkreicexbmoub4cxyctwlt5vfdj666e5ws7t57ve375cdgacnplzuszk4",
        "state": "available",
        "detail": None,
    },
    "terms": {
        "id": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
        "state": "available",
        "license": "Apache-2.0",
    },
    "status": {"status": "deprecated", "reason": "superseded", "since": 1796004288, "successor": None},
    "first_claim": True,
}

HASHED_RECORD: dict[str, Any] = {
    "seq": 0,
    "timestamp": 1796004269,
    "actor": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "since": 1796004269,
    "release": {
        "publisher": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "name": "0x0a8099312d1b24ac93f806e3272648b5cd1510403f19361c67e977fb6e176e38",
        "version": "0xc89efdaa54c0f20c7adf612882df0950f5a951637e0307cdcb4c672f298b8bc6",
        "artifact": "0x35595c57dd63427c5ddee73d5593f568343620546ee8c7b1bc29dc896ab1c796",
        "manifest": "0x44b858ea0782be053b2e7da9469f7bc4eda5f9f7f526ffd10cc0135ebcd25957",
        "terms": "0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
        "trainingData": "0x0000000000000000000000000000000000000000000000000000000000000000",
        "parents": "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    },
}

RELEASE: dict[str, Any] = CLAIM | {
    "training_data": {"disclosure": "undisclosed"},
    "parents": [],
    "external_parents": [],
    "access": "public",
    "code_terms": None,
    "license_differs": None,
    "model": {"model_type": "bert", "runs_code": []},
    "oms": {
        "root": "oms:d874d79ad4bcd2ab8fd73a9ba2a47a7dff3afa2d3476b022fd65c5d3be961d21",
        "binds_names": False,
        "ignored": [],
        "signature": None,
    },
    "children": [
        {
            "release": "release:0xe6575a95a6d5ca45b7f670239645b0db01a339990a83b840b9bfeaa8322a9ad7",
            "relation": "quantization",
        }
    ],
    "files": [
        {
            "path": "config.json",
            "size": 23,
            "cid": "bafkreidgle46bws2uii6zgbs77s5zoqxnun3vsfjlsezyjyoykiifbj4ke",
            "sha256": "665939e0da5aa211ec9832ffe5dcba176d1bbac8a95c899c270ec29082853c51",
            "sha256_state": "proven",
        },
        {
            "path": "data.bin",
            "size": 2000000,
            "cid": "bafybeib2b6cx4ur4as7zmm57epjsmf4mltl2baytpp6t26s4x4jdqf23gu",
            "sha256": "0da17774bd0243212d304f1a297c4439bc19e321efe380d53c02e2eec670331c",
            "sha256_state": "declared",
        },
    ],
    "files_total": 2,
    "files_next": None,
    "status_history": [
        {
            "status": "deprecated",
            "reason": "superseded",
            "timestamp": 1796004288,
            "detail": None,
            "successor": None,
            "seq": 3,
        }
    ],
    "status_history_next": None,
    "record": {
        "seq": 0,
        "timestamp": 1796004269,
        "actor": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "since": 1796004269,
        "record_hash": "0x1b37814491c9a2bc5d56d0b52f6cbc7ad10754853ab527d113bbf97e97509df3",
        "block_number": 5,
        "block_hash": "0x9665cde999df6023e195af7421389fa05683b2dd123fe8fd49e3a7fc0e96e6db",
        "transaction": "0xe64996eaaedb6b02619a2c221a04c5ca2d3fe5010dd4b62cd1d4e56303b73ee3",
        "finality": "finalized",
    },
    "hashed_record": HASHED_RECORD,
    "as_of": AS_OF,
}

RECORD: dict[str, Any] = {
    "release": "release:0x6d44c7c60184dda0750d0e16def2c623beeb4badfaa36f388f20fc0d0bd6765f",
    "chain_id": 31337,
    "model_registry": "0x1Ce1963f206a08948e4DB6420BaFB01a58cAC432",
    "publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "name": "my-model",
    "version": "1",
    "artifact": "bafybeibvlfofpxldij6f3xxhhvkzh5ligq3cavdo5dd3dpbj3sewvmohsy",
    "manifest": "sha256:44b858ea0782be053b2e7da9469f7bc4eda5f9f7f526ffd10cc0135ebcd25957",
    "terms": "terms:0x8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
    "training_data": None,
    "parents": [],
    "seq": 0,
    "timestamp": 1796004269,
    "actor": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "since": 1796004269,
    "record_hash": "0x1b37814491c9a2bc5d56d0b52f6cbc7ad10754853ab527d113bbf97e97509df3",
    "hashed_record": HASHED_RECORD,
    "block": {"number": 5, "hash": "0x9665cde999df6023e195af7421389fa05683b2dd123fe8fd49e3a7fc0e96e6db"},
    "transaction": "0xe64996eaaedb6b02619a2c221a04c5ca2d3fe5010dd4b62cd1d4e56303b73ee3",
}

ARTIFACT: dict[str, Any] = {
    "artifact": "bafybeibvlfofpxldij6f3xxhhvkzh5ligq3cavdo5dd3dpbj3sewvmohsy",
    "claims": [CLAIM],
    "claims_total": 1,
    "as_of": AS_OF,
}

OMS: dict[str, Any] = {
    "oms": "oms:d874d79ad4bcd2ab8fd73a9ba2a47a7dff3afa2d3476b022fd65c5d3be961d21",
    "binds_names": False,
    "note": "The root finds a release and proves no more: it binds the files' bytes and their order, not their names.",
    "claims": [CLAIM],
    "claims_total": 1,
    "coverage": {"manifests": {"read": 2, "of": 2}},
    "as_of": AS_OF,
}

FILE: dict[str, Any] = {
    "file": "bafkreidgle46bws2uii6zgbs77s5zoqxnun3vsfjlsezyjyoykiifbj4ke",
    "found": [
        {
            "path": "config.json",
            "size": 23,
            "cid": "bafkreidgle46bws2uii6zgbs77s5zoqxnun3vsfjlsezyjyoykiifbj4ke",
            "sha256": "665939e0da5aa211ec9832ffe5dcba176d1bbac8a95c899c270ec29082853c51",
            "sha256_state": "proven",
            "claim": {
                "release": "release:0xe6575a95a6d5ca45b7f670239645b0db01a339990a83b840b9bfeaa8322a9ad7",
                "publisher": "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
                "name": "my-model-q4",
                "version": "1",
                "artifact": "bafybeiclmylzzeaabkhecqidnbuk4fiolq4q2zwxgb6da7cweg7t2fyonu",
                "manifest": {
                    "digest": "sha256:35f977ccd4af8d19f6b9cef9b4e45b7d5fde0b7944164435a597a47134731578",
                    "cid": "bafkreibv7f34zvfprum7nooo7g2oiw35l7paw6keczcdljmxuryti4yvpa",
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
            },
        }
    ],
    "coverage": {"manifests": {"read": 2, "of": 2}},
    "as_of": AS_OF,
    "next": "WyJmaWxlIiwiMHg3MDk5Nzk3MEM1MTgxMmRjM0EwMTBDN2QwMWI1MGUwZDE3ZGM3OUM4IiwiZTY1NzVhOTVhNmQ1Y2E0NWI3ZjY3MDIzOTY0NWIwZGIwMWEzMzk5OTBhODNiODQwYjliZmVhYTgzMjJhOWFkNyIsMF0",
}
