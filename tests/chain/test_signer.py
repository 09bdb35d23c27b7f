"""Keys: what opens, what does not, and that no message, representation or log ever holds one."""

import json
import logging
import pickle
import traceback

import pytest

from registry.chain.foreign import Account
from registry.chain.signer import LocalSigner, load_signer
from registry.errors import ChainError, InvalidKey, NoKey, WrongPassword

KEY = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
ADDRESS = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def encrypted():
    return Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=2)


@pytest.fixture
def keystore(tmp_path, encrypted):
    path = tmp_path / "keystore.json"
    path.write_text(json.dumps(encrypted))
    return path


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\nanything else\n")
    return path


def assert_silent(error: BaseException, secret: str) -> None:
    text = "".join(traceback.format_exception(error)) + repr(error) + str(getattr(error, "details", ""))
    assert secret not in text
    assert secret.removeprefix("0x") not in text


def test_a_keystore_opens_with_the_first_line_of_its_password_file(keystore, password_file):
    assert load_signer(keystore=keystore, password_file=password_file).address == ADDRESS


def test_a_keystore_made_with_scrypt_opens_too(tmp_path, password_file):
    path = tmp_path / "scrypt.json"
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf="scrypt", iterations=2)))
    assert load_signer(keystore=path, password_file=password_file).address == ADDRESS


@pytest.mark.parametrize("form", [KEY, KEY[2:], f" {KEY.upper().replace('0X', '0x')}\n"])
def test_a_bare_key_opens(form):
    assert load_signer(private_key=form).address == ADDRESS


def test_a_wrong_password_is_said_and_not_shown(keystore, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("tr0ub4dor")
    with pytest.raises(WrongPassword, match="does not open") as caught:
        load_signer(keystore=keystore, password_file=wrong)
    assert_silent(caught.value, "tr0ub4dor")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"version": 3}',
        '{"version": 1, "crypto": {}}',
        '{"version": 3, "crypto": 7}',
        "[" * 9999,
    ],
)
def test_a_file_that_is_no_keystore_is_refused(content, tmp_path, password_file):
    path = tmp_path / "keystore.json"
    path.write_text(content)
    with pytest.raises(InvalidKey):
        load_signer(keystore=path, password_file=password_file)


def test_missing_files_are_named(keystore, password_file, tmp_path):
    with pytest.raises(NoKey, match=r"absent\.json"):
        load_signer(keystore=tmp_path / "absent.json", password_file=password_file)
    with pytest.raises(NoKey, match="absent"):
        load_signer(keystore=keystore, password_file=tmp_path / "absent")
    with pytest.raises(NoKey, match="PROVENANCE_PASSWORD_FILE"):
        load_signer(keystore=keystore)
    with pytest.raises(NoKey, match="PROVENANCE_KEYSTORE"):
        load_signer()


@pytest.mark.parametrize("bad", ["", "0x12", "zz" * 32, "00" * 32, "ff" * 32, KEY + "00"])
def test_a_bad_key_is_refused_and_not_shown(bad):
    with pytest.raises(InvalidKey) as caught:
        load_signer(private_key=bad)
    if len(bad) > 10:
        assert_silent(caught.value, bad)


def test_a_key_is_never_shown_while_it_is_used(caplog):
    caplog.set_level(logging.DEBUG)
    signer = load_signer(private_key=KEY)
    signer.sign_transaction(
        {
            "type": 2,
            "chainId": 1,
            "nonce": 0,
            "to": ADDRESS,
            "value": 0,
            "data": b"",
            "gas": 21_000,
            "maxFeePerGas": 1,
            "maxPriorityFeePerGas": 1,
        }
    )
    for shown in (repr(signer), str(signer), caplog.text, repr(getattr(signer, "__dict__", ""))):
        assert KEY[2:] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def test_every_refusal_is_one_of_ours(keystore, password_file):
    assert issubclass(WrongPassword, ChainError)
    assert isinstance(load_signer(keystore=keystore, password_file=password_file), LocalSigner)
