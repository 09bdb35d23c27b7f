"""Denylists of IPIP-383: the examples of the specification, each rule denies what it names and nothing beside it."""

import hashlib
import logging
import os
import time
from pathlib import Path

import pytest

from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.denylist import Denylist, DenylistFiles, read_denylists
from registry.errors import ContentBlocked, InvalidSettings

CID = Cid.of(RAW, b"x")


def rules(*lines: str) -> Denylist:
    return read_denylists([("test.deny", "\n".join(lines).encode())])


def parse(text: str) -> Cid:
    return Cid.parse(text)


class TestRules:
    def test_a_block_by_its_multihash_whatever_the_codec(self) -> None:
        denied = rules("/ipfs/bafybeihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq")
        for text in (
            "bafybeihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq",
            "bafkreihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq",
            "QmesfgDQ3q6prBy2Kg2gKbW4MAGuWiRP2DVuGA5MZSERLo",
        ):
            assert denied.denies(parse(text))
            assert not denied.denies(parse(text), "path")
        assert not denied.denies(CID)

    def test_all_paths(self) -> None:
        denied = rules("/ipfs/QmdWFA9FL52hx3j9EJZPQP1ZUH8Ygi5tLCX2cRDs6knSf8/*")
        cid = parse("QmdWFA9FL52hx3j9EJZPQP1ZUH8Ygi5tLCX2cRDs6knSf8")
        assert denied.denies(cid) and denied.denies(cid, "a") and denied.denies(cid, "a/b")

    @pytest.mark.parametrize("rule", ["test*", "test/*"])
    def test_paths_by_how_they_begin(self, rule: str) -> None:
        denied = rules(f"/ipfs/{CID}/{rule}")
        for path in ("test", "test2", "test/one"):
            assert denied.denies(CID, path)
        for path in ("", "tes", "other/test"):
            assert not denied.denies(CID, path)

    @pytest.mark.parametrize("rule", ["path", "path/", "%70ath", "p%61th/"])
    def test_one_path(self, rule: str) -> None:
        denied = rules(f"/ipfs/{CID}/{rule} reason:none")
        assert denied.denies(CID, "path")
        assert not denied.denies(CID) and not denied.denies(CID, "path/below") and not denied.denies(CID, "path2")

    @pytest.mark.parametrize("rule", ["a//b", "a/b//", "/a/b", "a/%2Fb", "a//b*"])
    def test_more_slashes_than_lead_somewhere(self, rule: str) -> None:
        denied = rules(f"/ipfs/{CID}/{rule}")
        assert denied.denies(CID, "a/b") and denied.denies(CID, "a//b/")
        assert not denied.denies(CID, "a") and not denied.denies(CID)

    def test_exceptions_the_last_rule_that_matches_counts(self) -> None:
        cid = "QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK"
        denied = rules(
            f"/ipfs/{cid}/blocked*",
            f"!/ipfs/{cid}/blockednot",
            f"!/ipfs/{cid}/blocked/not",
            f"!/ipfs/{cid}/blocked/exceptions*",
        )
        for path in ("blocked", "blocked/yes", "blockedhello", "blocked/not/below"):
            assert denied.denies(parse(cid), path), path
        for path in ("blockednot", "blocked/not", "blocked/exceptions", "blocked/exceptions2"):
            assert not denied.denies(parse(cid), path), path

    def test_a_rule_after_its_exception_counts_again(self) -> None:
        assert rules(f"!/ipfs/{CID}", f"/ipfs/{CID}").denies(CID)
        assert not rules(f"/ipfs/{CID}", f"!/ipfs/{CID}").denies(CID)

    def test_later_lists_count_over_earlier_ones(self) -> None:
        both = [("1", f"/ipfs/{CID}".encode()), ("2", f"!/ipfs/{CID}".encode())]
        assert not read_denylists(both).denies(CID)
        assert read_denylists(both[::-1]).denies(CID)

    def test_double_hashes_as_the_specification_shows_them(self) -> None:
        modern = rules("//QmX9dhRcQcKUw3Ws8485T5a9dtjrSCQaUAHnG4iK9i4ceM")
        for text in (
            "bafybeidjwik6im54nrpfg7osdvmx7zojl5oaxqel5cmsz46iuelwf5acja",
            "QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR",
        ):
            assert modern.denies(parse(text)) and not modern.denies(parse(text), "path")
        legacy = rules("//d9d295bde21f422d471a90f2a37ec53049fdf3e5fa3ee2e8f20e10003da429e7")
        by_path = rules("//3f8b9febd851873b3774b937cce126910699ceac56e72e64b866f8e258d09572")
        cid = parse("bafybeiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e")
        assert legacy.denies(cid) and not legacy.denies(cid, "path")
        assert legacy.denies(Cid(RAW, cid.digest)) and not legacy.denies(Cid(RAW, cid.digest), "path")
        assert by_path.denies(cid, "path") and not by_path.denies(cid) and not by_path.denies(cid, "path2")

    def test_a_double_hash_of_a_path(self) -> None:
        denied = rules("//QmSju6XPmYLG611rmK7rEeCMFVuL6EHpqyvmEU6oGx3GR8")
        cid = parse("bafybeihrw75yfhdx5qsqgesdnxejtjybscwuclpusvxkuttep6h7pkgmze")
        assert denied.denies(cid, "my/path") and not denied.denies(cid) and not denied.denies(cid, "my")

    def test_a_double_hash_can_be_allowed_again(self) -> None:
        double = f"//{hashlib.sha256(f'{CID}/'.encode()).hexdigest()}"
        assert rules(double).denies(CID) and not rules(double, f"!{double}").denies(CID)
        assert not rules(double, f"!/ipfs/{CID}").denies(CID)

    def test_names_and_content_of_other_hashes_concern_nothing_here(self) -> None:
        denied = rules(
            "/ipns/domain.example",
            "/ipns/domain2.example/path",
            "/ipfs/gW7Nhu4HrfDtphEivm3Z9NNE7gpdh5Tga8g6JNZc1S8E47/path",
            "/ipfs/bafyb4ieqht3b2rssdmc7sjv2cy2gfdilxkfh7623nvndziyqnawkmo266a",
        )
        assert not denied.denies(CID) and not denied.denies(CID, "path")


class TestForm:
    def test_a_header_comments_and_empty_lines(self) -> None:
        denied = rules("version: 1", "name: a list", "hints:", "  a: b", "custom: x", "---", "# no", "", f"/ipfs/{CID}")
        assert denied.denies(CID) and denied.count == 1

    def test_lines_may_end_as_on_windows(self) -> None:
        assert rules("version: 1\r", "---\r", f"/ipfs/{CID}\r").denies(CID)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("version: 2\n---\n", "version"),
            ("[\n---\n", "not YAML"),
            ("- a list\n---\n", "version"),
            ("/ipfs/nonsense", "line 1"),
            (f"/ipfs/{CID}\n/ipfs/", "line 2"),
            ("name: no end of the header", "line 1"),
            ("//", "line 1"),
            ("//nonsense-0", "line 1"),
            ("//gW813G35CnLsy7gRYYHuf63hrz71U1xoLFDVeV7actx6oX", "known here"),
            (f"{CID}", "no rule"),
            ("/ipns/", "no rule"),
            (f"-/ipfs/{CID}", "no rule"),
            (f"/ipfs/{CID}/%ff", "line 1"),
        ],
    )
    def test_what_cannot_be_kept_is_an_error_that_names_the_line(self, text: str, why: str) -> None:
        with pytest.raises(InvalidSettings, match=why):
            read_denylists([("test.deny", text.encode())])

    def test_bytes_that_are_no_text_and_lines_without_end(self) -> None:
        for content in (b"\xff", b"#" * (2 << 20)):
            with pytest.raises(InvalidSettings, match="line 1"):
                read_denylists([("test.deny", content)])

    def test_a_header_beyond_its_limit_is_read_as_rules(self) -> None:
        with pytest.raises(InvalidSettings, match="line 1"):
            read_denylists([("test.deny", b"a: b\n" * 300_000 + b"---\n")])


class TestFiles:
    def test_a_change_counts_from_the_next_question_on(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.deny"
        file.write_text("# nothing yet\n")
        lists = DenylistFiles([file])
        lists.check(CID)
        with file.open("a") as stream:
            stream.write(f"/ipfs/{CID}\n")
        with pytest.raises(ContentBlocked, match="not served"):
            lists.check(CID)
        file.write_text("")
        lists.check(CID)

    def test_a_change_counts_that_keeps_size_and_time(self, tmp_path: Path) -> None:
        """As `cp -p`, `rsync --times` or a deployment that sets times leave a file."""
        file = tmp_path / "mine.deny"
        file.write_text(f"/ipfs/{Cid.of(RAW, b'y')}\n")
        lists, before = DenylistFiles([file]), file.stat()
        time.sleep(0.02)  # a tick of the clock of any file system of Linux
        file.write_text(f"/ipfs/{CID}\n")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(ContentBlocked):
            lists.check(CID)

    def test_one_that_breaks_later_leaves_what_was_in_force(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = tmp_path / "mine.deny"
        file.write_text(f"/ipfs/{CID}\n")
        lists = DenylistFiles([file])
        for damage in (lambda: file.write_text("nonsense"), file.unlink):
            caplog.clear()
            damage()
            with caplog.at_level(logging.ERROR), pytest.raises(ContentBlocked):
                lists.check(CID)
            assert "stay in force" in caplog.text
        file.write_text("# good again\n")
        lists.check(CID)

    def test_one_that_is_not_there_at_the_start_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidSettings, match=r"mine\.deny"):
            DenylistFiles([tmp_path / "mine.deny"])

    def test_none_denies_nothing(self) -> None:
        DenylistFiles([]).check(Cid.of(DAG_PB, b""))
