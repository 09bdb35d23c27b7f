"""Where the command takes its settings from, in which order, and whose it never takes."""

from pathlib import Path

import pytest

from registry.chain.devnode import dev_signer
from tests.cli.conftest import Provenance

PUBLISHER = f"eip155:31337:{dev_signer(0).address}"


@pytest.mark.parametrize(
    ("file", "text", "meant"),
    [
        (".env", "PROVENANCE_RPCURL=http://127.0.0.1:9\n", "PROVENANCE_RPC_URL"),
        (".env", "provenance_gateway=x\n", "PROVENANCE_GATEWAYS"),
        ("provenance.toml", 'gateway = "x"\n', "gateways"),
        ("provenance.toml", 'PROVENANCE_STORE = "x"\n', "store"),
    ],
)
def test_a_setting_that_is_none_is_refused_with_the_nearest_name(
    provenance: Provenance, model: Path, tmp_path: Path, file: str, text: str, meant: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / file).write_text(text)
    done = provenance("verify", str(model))
    assert done.code == 2 and "input.settings" in done.err and f"is {meant};" in done.err, done


def test_in_the_environment_only_what_is_nearly_a_setting_is_refused(
    provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENANCE_PORT_8000_TCP_ADDR", "10.0.0.1")
    monkeypatch.setenv("PROVENANCE_TRACEBACK", "1")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".env").write_text("OTHER=x\nPROVENANCE_CHAIN_ID=31337\n")
    assert provenance("verify", str(model)).code == 3
    monkeypatch.setenv("PROVENANCE_KEYSTOR", "x")
    assert "PROVENANCE_KEYSTORE" in provenance("verify", str(model)).err


def test_flags_win_over_the_environment_and_that_over_files(
    provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "provenance.toml").write_text('rpc_url = "http://127.0.0.1:9"\nchain_id = 1\n')
    assert "chain.wrong-chain" in provenance("verify", str(model), "--trust", PUBLISHER).err
    (home / ".env").write_text("PROVENANCE_CHAIN_ID=31337\n")
    done = provenance("-v", "verify", str(model), "--trust", PUBLISHER)
    assert done.code == 3 and done.err.splitlines() == [
        f"settings from {home / name}" for name in (".env", "provenance.toml")
    ]
    down = provenance("verify", str(model), "--trust", PUBLISHER, "--rpc-url", "http://127.0.0.1:9")
    assert "chain.rpc-unavailable" in down.err


def test_a_file_of_settings_that_is_named_is_the_only_one(
    provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".env").write_text("PROVENANCE_API_URL=http://127.0.0.1:9\n")
    other = tmp_path / "other.toml"
    other.write_text("chain_id = 1\n")
    assert "chain.wrong-chain" in provenance("--config", str(other), "verify", str(model)).err
    monkeypatch.setenv("PROVENANCE_CONFIG", str(other))
    assert "chain.wrong-chain" in provenance("verify", str(model)).err
    for wrong in ("nowhere.toml", "x" * 5000, "~nobody-here/x"):
        assert "input.settings" in provenance("--config", wrong, "verify", str(model)).err
    other.write_text("chain_id = = 1\n")
    assert "input.settings" in provenance("verify", str(model)).err


@pytest.mark.parametrize("where", [".", "..", "sub"])
def test_what_is_verified_does_not_choose_its_judge(
    provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Settings in a download, say the address of a service that allows everything, are files like any other."""
    (model / "sub").mkdir()
    for name, text in {
        ".env": "PROVENANCE_API_URL=http://127.0.0.1:9\nPROVENANCE_CHAIN_ID=1\n",
        "provenance.toml": 'api_url = "http://127.0.0.1:9"\nchain_id = 1\n',
    }.items():
        (model / name).write_text(text)
        (model / "sub" / name).write_text(text)
    monkeypatch.chdir(model / "sub" if where != "." else model)
    done = provenance("verify", where if where != "sub" else ".", "--trust", PUBLISHER)
    assert done.code == 3 and "no-claim" in done.out, done


def test_a_home_of_nobody_is_no_defect(provenance: Provenance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENANCE_HOME", "~nobody-here/x")
    done = provenance("verify", "sha256:" + "ab" * 32)
    assert done.code == 2 and "input.settings" in done.err
