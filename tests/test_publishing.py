"""Publishing: planned in full, carried out so that a crash anywhere costs nothing but the time of a rerun."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts.digest import digest_artifact
from registry.artifacts.manifest import parse_manifest
from registry.artifacts.training.forms import MAX_PUBLISHED
from registry.chain.devnode import DevNode, dev_key, dev_signer
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.records import ZERO, Relation
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.reader import fetch_artifact
from registry.content.unixfs import document_shape
from registry.content.upkeep import verify
from registry.errors import (
    InputError,
    InsufficientFunds,
    InvalidDocument,
    InvalidIdentifier,
    LicenseContradiction,
    PreflightFailed,
    ReleaseNotFound,
    VersionTaken,
)
from registry.policy.catalogue import catalogue
from registry.publishing import MAX_REASON, Asked, Plan, execute, prepare

STEPS = ("store-artifact", "store-documents", "register", "done")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    (model / "config.json").write_text('{"model_type": "test"}')
    (model / "sub" / "weights.bin").write_bytes(os.urandom(3 << 20))
    return model


def plan(folder: Path, registry: ModelRegistryClient, asked: Asked, index: int = 0) -> Plan:
    return prepare(digest_artifact(folder), asked, registry, dev_signer(index).address)


def test_a_release_is_on_chain_and_its_files_can_be_fetched_by_the_digest_there(
    folder: Path, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    store = EmbeddedStore(tmp_path / "store")
    done = execute(plan(folder, publisher, Asked("m", "1", "apache-2.0")), store, publisher)
    assert done.created
    found = publisher.find_record(done.release_id)
    assert found is not None and found.record.release.artifact == digest_artifact(folder).digest
    fetch_artifact([store], digest_artifact(folder).root, tmp_path / "back", None)
    assert digest_artifact(tmp_path / "back").digest == found.record.release.artifact


def test_the_same_again_registers_nothing_and_says_so(
    folder: Path, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    store = EmbeddedStore(tmp_path / "store")
    execute(plan(folder, publisher, Asked("m", "1")), store, publisher)
    again = execute(plan(folder, publisher, Asked("m", "1")), store, publisher)
    assert not again.created
    assert publisher.size() == 1


def test_the_same_again_mends_what_rotted_in_the_store(
    folder: Path, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    store = EmbeddedStore(tmp_path / "store")
    execute(plan(folder, publisher, Asked("m", "1")), store, publisher)
    kept = next(path for path in (tmp_path / "store" / "files").rglob("*") if path.is_file())
    kept.write_bytes(bytes(kept.stat().st_size))
    assert verify(store).damage
    execute(plan(folder, publisher, Asked("m", "1")), store, publisher)
    assert not verify(store).damage


def test_the_same_content_with_a_file_that_is_left_out_is_the_same_release(
    folder: Path, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    store = EmbeddedStore(tmp_path / "store")
    execute(plan(folder, publisher, Asked("m", "1")), store, publisher)
    (folder / ".DS_Store").write_bytes(b"finder")
    again = plan(folder, publisher, Asked("m", "1"))
    assert again.existing is not None and again.manifest_differs
    assert not execute(again, store, publisher).created


@pytest.mark.parametrize("change", ["files", "license", "parents"])
def test_a_version_never_changes(folder: Path, publisher: ModelRegistryClient, tmp_path: Path, change: str) -> None:
    store = EmbeddedStore(tmp_path / "store")
    first = execute(plan(folder, publisher, Asked("base", "1")), store, publisher)
    execute(plan(folder, publisher, Asked("m", "1", "mit")), store, publisher)
    asked = Asked("m", "1", "mit")
    if change == "files":
        (folder / "config.json").write_text("{}")
    elif change == "license":
        asked = Asked("m", "1", "apache-2.0")
    else:
        asked = Asked("m", "1", "mit", parents=(f"release:0x{first.release_id.hex()}=finetune",))
    with pytest.raises(VersionTaken):
        plan(folder, publisher, asked)
    assert publisher.size() == 2


def test_without_a_licence_the_terms_are_unknown(folder: Path, publisher: ModelRegistryClient) -> None:
    assert plan(folder, publisher, Asked("m", "1")).release.terms == ZERO


def test_a_licence_is_a_name_or_a_document_of_the_same_form(
    folder: Path, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    by_name = plan(folder, publisher, Asked("m", "1", "MIT"))
    assert by_name.terms is not None
    own = tmp_path / "own.json"
    own.write_text(json.dumps(by_name.terms.model_dump(mode="json", exclude_none=True), indent=3))
    assert plan(folder, publisher, Asked("m", "1", str(own))).release.terms == by_name.release.terms
    with pytest.raises(InvalidDocument, match="catalogue"):
        plan(folder, publisher, Asked("m", "1", "no-such-licence"))


def predicate(made: Plan) -> Any:
    return json.loads(made.documents[-1])["predicate"]


def license_text(name: str) -> bytes:
    text = catalogue()[name].text
    assert text is not None
    return text


def test_a_folder_that_names_another_licence_is_not_published_until_that_is_answered(
    folder: Path, publisher: ModelRegistryClient
) -> None:
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    (folder / "LICENSE").write_bytes(license_text("apache-2.0"))
    with pytest.raises(LicenseContradiction, match="--license-differs") as raised:
        plan(folder, publisher, Asked("m", "1", "apache-2.0"))
    card = {"path": "README.md", "says": "license: cc-by-nc-4.0"}
    text = {"path": "LICENSE", "says": "the text of apache-2.0"}
    assert raised.value.details == {"license": "apache-2.0", "declared": [card]}
    with pytest.raises(LicenseContradiction) as raised:
        plan(folder, publisher, Asked("m", "1", "mit"))
    assert raised.value.details["declared"] == [text, card]
    made = plan(folder, publisher, Asked("m", "1", "apache-2.0", license_differs=" The card is out of date. "))
    assert predicate(made)["license_differs"] == {"reason": "The card is out of date.", "declared": [card]}
    assert parse_manifest(made.documents[-1]).predicate.license_differs == made.license_differs


def test_a_licence_text_that_was_altered_is_answered_before_it_is_published(
    folder: Path, publisher: ModelRegistryClient
) -> None:
    (folder / "LICENSE").write_bytes(license_text("mit") + b"\nCommercial use needs our written consent.\n")
    with pytest.raises(LicenseContradiction, match="like the text of mit, but altered") as raised:
        plan(folder, publisher, Asked("m", "1", "mit"))
    altered = "like the text of mit, but altered: in place of its end it has “commercial use needs our written consent”"
    file = {"path": "LICENSE", "says": altered}
    assert raised.value.details["declared"] == [file]
    made = plan(folder, publisher, Asked("m", "1", "mit", license_differs="We do consent."))
    assert predicate(made)["license_differs"] == {"reason": "We do consent.", "declared": [file]}


def test_a_folder_that_agrees_or_says_nothing_is_published_as_it_is(
    folder: Path, publisher: ModelRegistryClient
) -> None:
    with pytest.raises(InputError, match="nothing in the folder contradicts mit"):
        plan(folder, publisher, Asked("m", "1", "mit", license_differs="To be sure."))
    with pytest.raises(InputError, match="name them with --license"):
        plan(folder, publisher, Asked("m", "1", license_differs="To be sure."))
    silent = plan(folder, publisher, Asked("m", "1", "mit"))
    assert silent.declared == () and silent.license_differs is None
    assert not {"license_differs", "code_terms"} & set(predicate(silent))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "COPYING").write_text("Ask us.")
    made = plan(folder, publisher, Asked("m", "1", "mit"))
    assert [(one.path, set(one.names)) for one in made.declared] == [("COPYING", set()), ("README.md", {"mit"})]
    assert not {"license_differs", "code_terms"} & set(predicate(made))


def test_without_a_licence_what_the_folder_says_is_shown_and_grants_nothing(
    folder: Path, publisher: ModelRegistryClient
) -> None:
    (folder / "LICENSE").write_bytes(license_text("mit"))
    made = plan(folder, publisher, Asked("m", "1"))
    assert made.release.terms == ZERO and made.declared[0].names == {"mit"}


def test_terms_of_ones_own_agree_with_the_licences_that_they_name(
    folder: Path, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    own = tmp_path / "own.json"
    terms = json.loads(catalogue()["mit"].document) | {"name": "acme", "title": "Acme", "license": "MIT OR Apache-2.0"}
    own.write_text(json.dumps(terms))
    (folder / "LICENSE").write_bytes(license_text("apache-2.0"))
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: acme\n---\n")
    assert plan(folder, publisher, Asked("m", "1", str(own))).license_differs is None
    own.write_text(json.dumps(terms | {"license": "LicenseRef-acme"}))
    with pytest.raises(LicenseContradiction):
        plan(folder, publisher, Asked("m", "1", str(own)))


def test_code_may_carry_other_terms_than_the_weights(
    folder: Path, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    (folder / "LICENSE-CODE").write_bytes(license_text("mit"))
    (folder / "LICENSE-MODEL").write_text("DEEPSEEK LICENSE AGREEMENT\n\nVersion 1.0, 23 October 2023\n")
    with pytest.raises(LicenseContradiction):
        plan(folder, publisher, Asked("m", "1", "deepseek"))
    made = plan(folder, publisher, Asked("m", "1", "deepseek", code_license="mit"))
    assert made.release.terms == catalogue()["deepseek"].id, "the chain holds the terms of the weights"
    document = catalogue()["mit"].document
    code = predicate(made)["code_terms"]
    assert code == {"id": f"terms:0x{catalogue()['mit'].id.hex()}", "document": str(document_shape(document).cid)}
    assert document in made.documents
    assert made.license_differs is None
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    with pytest.raises(LicenseContradiction, match=r"README\.md"):
        plan(folder, publisher, Asked("m", "1", "deepseek", code_license="mit"))
    with pytest.raises(InvalidDocument, match="catalogue"):
        plan(folder, publisher, Asked("m", "1", code_license="no-such-licence"))


@pytest.mark.parametrize("reason", ["", "  ", "x" * (MAX_REASON + 1), "two\nlines", "\udcff"])
def test_a_reason_is_one_line_that_can_be_recorded(folder: Path, publisher: ModelRegistryClient, reason: str) -> None:
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    with pytest.raises(InputError, match="reason"):
        plan(folder, publisher, Asked("m", "1", "apache-2.0", license_differs=reason))


def test_parents_are_on_chain_or_pinned(folder: Path, publisher: ModelRegistryClient, tmp_path: Path) -> None:
    base = execute(plan(folder, publisher, Asked("base", "1")), EmbeddedStore(tmp_path / "store"), publisher)
    known = f"release:0x{base.release_id.hex()}=conversion"
    made = plan(folder, publisher, Asked("m", "1", parents=(known, "pkg:huggingface/a/b@0123abcd=finetune")))
    assert [parent.relation for parent in made.release.parents] == [Relation.CONVERSION]
    with pytest.raises(ReleaseNotFound):
        plan(folder, publisher, Asked("m", "1", parents=(f"release:0x{'11' * 32}=finetune",)))
    with pytest.raises(InvalidIdentifier, match="pinned"):
        plan(folder, publisher, Asked("m", "1", parents=("pkg:huggingface/a/b=finetune",)))
    for moving in ("main", "v1.0", "refs%2Fpr%2F1", "012345", "0" * 41):
        with pytest.raises(InvalidIdentifier, match="Give the commit"):
            plan(folder, publisher, Asked("m", "1", parents=(f"pkg:huggingface/a/b@{moving}=finetune",)))
    with pytest.raises(InvalidIdentifier, match="relation"):
        plan(folder, publisher, Asked("m", "1", parents=("pkg:huggingface/a/b@1",)))


def test_preflight_stops_a_wrong_release_and_an_override_is_recorded(
    folder: Path, publisher: ModelRegistryClient
) -> None:
    (folder / ".env").write_text("TOKEN=1\n")
    with pytest.raises(PreflightFailed, match="allow-incomplete"):
        plan(folder, publisher, Asked("m", "1"))
    made = plan(folder, publisher, Asked("m", "1", allow_incomplete=True))
    recorded = json.loads(made.documents[-1])["predicate"]["preflight"]
    assert recorded["overridden"] and recorded["findings"][0]["path"] == ".env"


def test_training_data_that_no_index_reads_is_not_published(
    folder: Path, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    document = tmp_path / "croissant.json"
    croissant = {"@context": {}, "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0", "name": "x"}
    padding = MAX_PUBLISHED - len(json.dumps(croissant | {"description": ""}))
    for more, fits in ((0, True), (1, False)):
        document.write_text(json.dumps(croissant | {"description": "x" * (padding + more)}))
        asked = Asked("m", "1", training_data=document)
        if fits:
            assert plan(folder, publisher, asked).release.training_data != ZERO
        else:
            with pytest.raises(InvalidDocument, match=r"an index reads at most 16,777,216.*names it by its CID"):
                plan(folder, publisher, asked)


def test_training_data_is_disclosed_by_its_digest(folder: Path, publisher: ModelRegistryClient, tmp_path: Path) -> None:
    document = tmp_path / "croissant.json"
    document.write_text(
        json.dumps(
            {
                "@context": {"@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"},
                "@type": "sc:Dataset",
                "conformsTo": "http://mlcommons.org/croissant/1.0",
                "name": "tiny",
            }
        )
    )
    made = plan(folder, publisher, Asked("m", "1", training_data=document))
    assert made.release.training_data != ZERO
    assert plan(folder, publisher, Asked("m", "1")).release.training_data == ZERO
    document.write_text("not json")
    with pytest.raises(InvalidDocument):
        plan(folder, publisher, Asked("m", "1", training_data=document))


def test_an_account_without_funds_learns_it_before_anything_is_stored(
    folder: Path, node: DevNode, tmp_path: Path
) -> None:
    node.chain.rpc.request("anvil_setBalance", [dev_signer(5).address, "0x1"])
    poor = open_model_registry(node.chain, signer=dev_signer(5), timeout=60)
    with pytest.raises(InsufficientFunds):
        plan(folder, poor, Asked("m", "1"), index=5)


def test_other_parents_outside_the_registry_are_other_content_and_the_manifest_on_chain_is_the_one_told(
    folder: Path, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    store, account = EmbeddedStore(tmp_path / "store"), dev_signer(0).address
    base = "pkg:huggingface/org/base@0123abc=finetune"
    made = execute(plan(folder, publisher, Asked("m", "1", parents=(base,))), store, publisher)
    artifact = digest_artifact(folder)
    for parents in ((), ("pkg:huggingface/org/other@0123abc=finetune",), (base, "pkg:huggingface/a/b@1111111=merge")):
        with pytest.raises(VersionTaken, match="outside the registry"):
            prepare(artifact, Asked("m", "1", parents=parents), publisher, account, store)
    (folder / ".DS_Store").write_bytes(b"finder")
    again = prepare(digest_artifact(folder), Asked("m", "1", parents=(base,)), publisher, account, store)
    assert again.manifest_differs and again.manifest_cid == Cid(RAW, made.record.release.manifest)
    assert not store.has_block(Cid(RAW, again.release.manifest))
    execute(again, store, publisher)
    assert not store.has_block(Cid(RAW, again.release.manifest))
    prepare(artifact, Asked("m", "1"), publisher, account, EmbeddedStore(tmp_path / "empty"))  # nothing to compare with


CHILD = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from registry.artifacts.digest import digest_artifact
    from registry.chain.client import connect
    from registry.chain.model_registry import open_model_registry
    from registry.chain.signer import signer_from_key
    from registry.content.embedded import EmbeddedStore
    from registry.publishing import Asked, execute, prepare

    url, key, folder, store, fatal = sys.argv[1:]
    signer = signer_from_key(key)
    registry = open_model_registry(connect(url), signer=signer, timeout=60)
    plan = prepare(digest_artifact(Path(folder)), Asked("m", "1", "mit"), registry, signer.address)

    def on_step(step):
        print(step, flush=True)
        if step == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    print(execute(plan, EmbeddedStore(Path(store)), registry, on_step=on_step).release_id.hex())
    """
)


def child(node: DevNode, folder: Path, store: Path, fatal: str) -> "subprocess.Popen[str]":
    """A publisher in a process of its own, which dies by SIGKILL as the step `fatal` begins."""
    arguments = [node.url, dev_key(0), str(folder), str(store), fatal]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("fatal", STEPS)
def test_killed_at_any_step_the_same_command_finishes_it(
    folder: Path, node: DevNode, publisher: ModelRegistryClient, tmp_path: Path, fatal: str
) -> None:
    store = tmp_path / "store"
    with child(node, folder, store, fatal) as killed:
        assert killed.wait(60) == -signal.SIGKILL
    rerun = child(node, folder, store, "never")
    output, _ = rerun.communicate(timeout=60)
    assert rerun.returncode == 0, output
    assert publisher.size() == 1
    assert EmbeddedStore(store).has_dag(digest_artifact(folder).root)


def test_killed_while_its_transaction_waits_it_does_not_send_another(
    folder: Path, node: DevNode, publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    node.chain.rpc.request("evm_setAutomine", [False])
    with child(node, folder, tmp_path / "store", "never") as killed:
        deadline = time.monotonic() + 60
        while node.chain.nonce(dev_signer(0).address, "pending") == node.chain.nonce(dev_signer(0).address):
            assert time.monotonic() < deadline and killed.poll() is None
            time.sleep(0.05)
        killed.kill()
    rerun = child(node, folder, tmp_path / "store", "never")
    time.sleep(2)
    node.chain.rpc.request("evm_mine", [])
    output, _ = rerun.communicate(timeout=60)
    assert rerun.returncode == 0, output
    assert publisher.size() == 1
    assert node.chain.nonce(dev_signer(0).address, "pending") == 1
