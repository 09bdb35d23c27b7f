"""Whatever strangers record, what the service answers stays; and who has read the same answers with the same bytes."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from random_acts import Acts
from waiting import wait_until

from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.identifiers import Account
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.settings import load_settings
from tests.api.conftest import Model, Publish, serving

ISSUER, READER = dev_signer(1).address, dev_signer(2).address
LISTED = {"only-strangers", "no-claim"}


def essence(verdict: dict[str, Any]) -> dict[str, Any]:
    """All that a verdict says but the block, and the claims of others."""
    return {
        "verdict": verdict["verdict"],
        "match": verdict["match"],
        "reasons": [reason for reason in verdict["reasons"] if reason["code"] not in LISTED],
        "documents": verdict["documents"],
        "claims": [claim for claim in verdict["claims"] if claim["counted"]],
    }


def questions(base: Model, child: Model, chain_id: int) -> list[dict[str, Any]]:
    issuer, reader = str(Account(chain_id, ISSUER)), str(Account(chain_id, READER))
    policies: list[dict[str, Any]] = [
        {},
        {"lineage": "declared", "otherwise": "refuse"},
        {"accept": ["subset", "superset"], "extra_files": ["**"]},
        {"account": reader, "uses": ["run", "distil"]},
        {"disputes": [issuer], "rulings": [issuer]},
        {"require": [{"kind": "audit", "issuers": [issuer]}]},
    ]
    shard, weights = base.files()[:1], next(file for file in base.artifact.files if file.path == "weights.bin")
    assert weights.sha256 is not None
    whats = [
        {"what": base.cid},
        {"what": child.cid},
        {"files": base.files()},
        {"files": shard},
        {"what": f"sha256:{weights.sha256.hex()}"},
        {"what": "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"},
    ]
    trusting = {"version": 1, "publishers": [base.publisher], "licenses": ["apache-2.0"]}
    return [what | {"policy": trusting | policy} for what in whats for policy in policies]


def test_what_strangers_record_changes_no_answer(
    node: DevNode, api: httpx.Client, publish: Publish, wait_for: Callable[[Model], None], tmp_path: Path
) -> None:
    files = {"config.json": b"{}", "weights.bin": b"weights"}
    base = publish("base", files)
    child = publish("child", files | {"adapter.bin": b"adapter"}, parents=(f"{base.release}=adapter",))
    release = base.published.record.release
    alice, bob = (Registries(node.chain, dev_signer(account), timeout=60) for account in (0, 1))
    alice.licenses.set_grant(
        base.published.release_id, Grant(release.publisher, "base", "1", READER, 63, 0, NEVER, False)
    )
    bob.statements.attest(
        Statement(ISSUER, Kind.AUDIT, SubjectKind.ARTIFACT, release.artifact, release.manifest, NEVER)
    )
    for model in (base, child):
        wait_for(model)
    asked = questions(base, child, node.chain.chain_id)

    def verdicts() -> list[dict[str, Any]]:
        return [api.post("/v1/verify", json=question).json() for question in asked]

    def has_read_all() -> bool:
        said = api.post("/v1/verify", json=asked[0]).json()
        return bool(said["as_of"]["block"]["number"] == node.chain.latest().number)

    wait_until(has_read_all)
    before = verdicts()
    assert {verdict["verdict"] for verdict in before} == {"allow", "unknown", "refuse"}
    digests = [release.artifact, release.manifest, release.terms, child.published.record.release.artifact]
    known = [(model.published.release_id, model.published.record.release) for model in (base, child)]
    acts = Acts(node, random.Random(7), digests, known)
    for _ in range(40):
        acts.record()
    wait_for(publish("base", files, index=3, license="mit"))
    wait_until(has_read_all)
    after = verdicts()
    assert [essence(verdict) for verdict in after] == [essence(verdict) for verdict in before]
    assert sum(len(verdict["claims"]) for verdict in after) > sum(len(verdict["claims"]) for verdict in before)

    settings = load_settings(
        home=tmp_path / "other", store=str(tmp_path / "home" / "store"), rpc_url=node.url, poll_seconds=0.05
    )
    with serving(settings) as other:
        for question in asked:
            said = api.post("/v1/verify", json=question).content
            wait_until(lambda question=question, said=said: other.post("/v1/verify", json=question).content == said)
