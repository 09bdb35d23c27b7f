"""Names on the command line: each says of what kind it is, and belongs to the chain in use."""

import pytest

from registry.chain.records import Deployment, release_id
from registry.chain.stated_subjects import prefixed, stated_subject_text
from registry.chain.statements import SubjectKind
from registry.cli.naming import account_address, named_release, release_name, subject
from registry.cli.parts import Parts
from registry.content.cid import DAG_PB, RAW, Cid
from registry.errors import InvalidIdentifier, InvalidRelease
from registry.settings import Settings
from tests.cli.conftest import PUBLISHER, STRANGER

HERE = Deployment(31337, STRANGER)
DIGEST = bytes(range(32))
HEX = DIGEST.hex()
PARTS = Parts(Settings(chain_id=31337, rpc_url="http://127.0.0.1:9"))


@pytest.mark.parametrize("prefix", ["", "eip155:31337:"])
def test_a_release_is_named_by_publisher_name_and_version(prefix: str) -> None:
    text = f"{prefix}{PUBLISHER}/m@1.0"
    assert release_name(text, 31337) == (PUBLISHER, "m", "1.0")
    assert named_release(text, HERE) == release_id(HERE, PUBLISHER, "m", "1.0")
    assert release_name(text.replace(PUBLISHER, PUBLISHER.lower()), 31337) == (PUBLISHER, "m", "1.0")


@pytest.mark.parametrize("text", [f"release:0x{HEX}", "m@1", f"{PUBLISHER}/m", f"{PUBLISHER}/a/b@1", "", "٣"])
def test_other_text_names_no_release(text: str) -> None:
    assert release_name(text, 31337) is None


def test_a_release_of_another_chain_is_not_looked_for_on_this_one() -> None:
    with pytest.raises(InvalidIdentifier, match="chain 1, and this is chain 31337"):
        release_name(f"eip155:1:{PUBLISHER}/m@1", 31337)


@pytest.mark.parametrize("name", ["Upper", "\udcff", "a\x1b[2J", "a b", "a\n", "x" * 65])
def test_a_name_that_no_release_can_have_is_an_error_and_no_defect(name: str) -> None:
    with pytest.raises(InvalidRelease):
        release_name(f"{PUBLISHER}/{name}@1", 31337)
    with pytest.raises(InvalidRelease):
        release_name(f"{PUBLISHER}/m@{name}", 31337)


def test_an_account_is_an_address_of_the_chain_in_use() -> None:
    assert account_address(PUBLISHER.lower(), PARTS) == PUBLISHER
    assert account_address(f"eip155:31337:{PUBLISHER}", PARTS) == PUBLISHER
    with pytest.raises(InvalidIdentifier, match="chain 1, and"):
        account_address(f"eip155:1:{PUBLISHER}", PARTS)
    for text in ("everyone", "", f"{PUBLISHER}0", "eip155:31337:0x12", "0x" + PUBLISHER[2:].swapcase()):
        with pytest.raises(InvalidIdentifier):
            account_address(text, PARTS)


SUBJECTS = {
    str(Cid(DAG_PB, DIGEST)): (SubjectKind.ARTIFACT, DIGEST),
    str(Cid(RAW, DIGEST)): (SubjectKind.FILE, DIGEST),
    f"sha256:{HEX}": (SubjectKind.FILE, DIGEST),
    f"release:0x{HEX}": (SubjectKind.RELEASE, DIGEST),
    f"{PUBLISHER}/m@1": (SubjectKind.RELEASE, release_id(HERE, PUBLISHER, "m", "1")),
    f"terms:0x{HEX}": (SubjectKind.TERMS, DIGEST),
    f"eip155:31337:{PUBLISHER}": (SubjectKind.ACCOUNT, bytes(12) + bytes.fromhex(PUBLISHER[2:])),
    f"statement:0x{HEX}": (SubjectKind.STATEMENT, DIGEST),
    f"anchor:0x{HEX}": (SubjectKind.ANCHOR, DIGEST),
    f"dataset:0x{HEX}": (SubjectKind.DATASET, DIGEST),
}


@pytest.mark.parametrize("text", SUBJECTS)
def test_a_subject_says_what_it_is(text: str) -> None:
    assert subject(text, HERE) == SUBJECTS[text]


@pytest.mark.parametrize("text", SUBJECTS)
def test_a_subject_is_shown_as_it_is_written(text: str) -> None:
    shown = stated_subject_text(*SUBJECTS[text], 31337)
    assert subject(shown, HERE) == SUBJECTS[text]


@pytest.mark.parametrize(
    "text",
    [
        *("", HEX, f"0x{HEX}", f"oms:{HEX}", PUBLISHER, f"eip155:1:{PUBLISHER}", "statement:", f"statement:{HEX}"),
        *(f"statement:0x{HEX}00", f"anchor:0x{HEX[:-1]}g", f"dataset:sha256:{HEX}", f"thing:0x{HEX}"),
    ],
)
def test_what_is_no_subject_is_an_error(text: str) -> None:
    with pytest.raises(InvalidIdentifier):
        subject(text, HERE)


def test_a_subject_that_a_stranger_made_up_is_shown_and_does_nothing_else() -> None:
    """Anybody may attest about an “account” of 32 bytes."""
    assert stated_subject_text(SubjectKind.ACCOUNT, DIGEST, 31337) == f"account:0x{HEX}"


def test_bare_hex_is_refused_with_the_prefix_to_add() -> None:
    assert prefixed(f"statement:0x{HEX}", "statement") == DIGEST
    for text in (HEX, f"0x{HEX}", f"release:0x{HEX}", f"statement:{HEX}"):
        with pytest.raises(InvalidIdentifier, match="statement:0x"):
            prefixed(text, "statement")
