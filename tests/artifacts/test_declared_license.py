"""What a folder declares is read where that is sure, and is never more than what stands there."""

import hashlib
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.artifacts.declared_license import (
    MAX_FRONT_MATTER,
    MAX_LICENSE,
    MAX_LICENSE_FILES,
    MAX_TAGS,
    Declaration,
    contradicting,
    declared_licenses,
    front_matter,
    is_license_file,
    named,
    slug,
)
from registry.artifacts.digest import digest_artifact
from registry.artifacts.license_text import KnownLicense, headed, profiles, same_text
from registry.policy.catalogue import catalogue, known_licenses

ENTRIES = catalogue()
KNOWN = known_licenses(ENTRIES)
TEXTS = {name: entry.text.decode("utf-8") for name, entry in ENTRIES.items() if entry.text is not None}
MIT = TEXTS["mit"].replace("<year> <copyright holders>", "2024 Somebody")


COMPARED = profiles(KNOWN)


def recognise(text: str) -> frozenset[str]:
    return same_text(text, COMPARED)


def declared(folder: Path, **files: str | bytes) -> tuple[Declaration, ...]:
    """What a folder of these files declares; `_` in a name stands for a dot."""
    folder.mkdir(exist_ok=True)
    (folder / "weights.bin").write_bytes(b"x")
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name.replace("_", ".")).write_bytes(data)
    return declared_licenses(digest_artifact(folder), KNOWN)


def names(declarations: tuple[Declaration, ...]) -> list[set[str]]:
    return [set(one.names) for one in declarations]


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_recognised_in_any_layout(name: str) -> None:
    text = TEXTS[name]
    copies = [
        text,
        text.replace("\n", "\r\n"),
        re.sub(r"(?<!\n) *\n(?!\n)", " ", text),
        "\n> ".join(text.split("\n")),
        text.upper(),
    ]
    for copy in copies:
        assert recognise(copy) == {name}


@pytest.mark.parametrize("name", [name for name in ENTRIES if name not in TEXTS])
def test_a_text_that_is_not_at_hand_is_recognised_by_its_heading(name: str) -> None:
    heading = ENTRIES[name].terms.title
    assert headed(f"# **{heading.upper()}**\n\nVersion of today\n\nTerms and conditions.", KNOWN) == name
    assert headed(f"This model was made from another one, which is under the {heading}.", KNOWN) is None


def test_the_copyright_line_and_the_appendix_are_not_what_a_text_is_known_by() -> None:
    assert recognise(MIT) == {"mit"}
    assert recognise(MIT.removeprefix("MIT License")) == {"mit"}
    apache = TEXTS["apache-2.0"]
    assert recognise(apache[: apache.index("APPENDIX")]) == {"apache-2.0"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "Copyright 2024 Somebody",
        "All rights reserved.",
        "MIT",
        MIT.replace("without restriction", "for research without restriction"),
        MIT + "\nFor non-commercial use only.",
        MIT.replace("sublicense, and/or sell", "and/or look at"),
        TEXTS["gpl-3.0"] + "\nYou must not use the Program for commercial purposes.",
        TEXTS["gpl-3.0"] + "\n" + "An added clause of some length says more than the text. " * 12,
        TEXTS["apache-2.0"].replace("irrevocable", "revocable"),
        TEXTS["apache-2.0"] + "\nEND OF TERMS AND CONDITIONS\n" + "Exceptions that follow the text. " * 40,
        TEXTS["mit"] + TEXTS["apache-2.0"],
        TEXTS["cc-by-4.0"].replace("produce, reproduce, and Share Adapted", "reproduce, but not Share, Adapted") * 2,
        "Qwen RESEARCH LICENSE AGREEMENT\nRelease Date: September 19, 2024",
    ],
)
def test_another_text_is_not_recognised(text: str) -> None:
    assert recognise(text) == frozenset()


@given(st.text(max_size=300))
def test_no_text_is_an_error(text: str) -> None:
    assert recognise(text) == frozenset() or text


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE",
        "license.txt",
        "LICENCE.md",
        "COPYING",
        "COPYING.LESSER",
        "LICENSE-MODEL",
        "LICENSE-APACHE-2.0",
        "MODEL_LICENSE.md",
        "UNLICENSE",
        "LICENSE.pdf",
        "gemma-license",
    ],
)
def test_a_licence_file_is_known_by_its_name(name: str) -> None:
    assert is_license_file(name)


@pytest.mark.parametrize(
    "name",
    ["license.py", "LICENSE.json", "check_license.py", "licenses.csv", "model_license.onnx", "README.md", "licensed"],
)
def test_another_file_is_none(name: str) -> None:
    assert not is_license_file(name)


def test_every_licence_file_at_the_top_counts_and_none_below(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "LICENSE").write_text(TEXTS["gpl-3.0"])
    found = declared(tmp_path, **{"LICENSE": TEXTS["apache-2.0"], "LICENSE-CODE": MIT, "COPYING": "Ask us."})
    assert {one.path: set(one.names) for one in found} == {
        "COPYING": set(),
        "LICENSE": {"apache-2.0"},
        "LICENSE-CODE": {"mit"},
    }
    assert [one.says for one in found] == ["not recognised", "the text of apache-2.0", "the text of mit"]
    assert contradicting(found, {"apache-2.0"}) == (found[2],)
    assert contradicting(found, {"apache-2.0", "mit"}) == ()


BSD = TEXTS["bsd-3-clause"]
APACHE = TEXTS["apache-2.0"]
CLAUSE = (
    "10. Additional term. You may not use the Work for military purposes, nor in any product or paid service, nor to "
    "train other models, unless You pay Licensor one percent of your yearly revenue and Licensor has agreed in writing."
)
FORBIDDEN = "".join(chr(ord(char) + 0xFEE0) if char.isalpha() else char for char in "COMMERCIAL USE IS FORBIDDEN")
ALTERED = {
    "apache, with a clause": ("apache-2.0", APACHE.replace("   END OF TERMS", f"   {CLAUSE}\n\n   END OF TERMS")),
    "apache, refused": ("apache-2.0", APACHE.replace("hereby grants to You a", "hereby refuses to You a")),
    "apache, paid": ("apache-2.0", re.sub(r"no-charge,\s+royalty-free", "paid, royalty bearing", APACHE)),
    "gpl, another section": ("gpl-3.0", re.sub(r"under section\s+7\.", "under section 2.", TEXTS["gpl-3.0"])),
    "mit, in chinese": ("mit", MIT + "\n\n禁止任何商业用途。\n"),
    "mit, in russian": ("mit", MIT + "\n\nКоммерческое использование запрещено.\n"),  # noqa: RUF001
    "mit, in wide letters": ("mit", f"{MIT}\n\n{FORBIDDEN}\n"),
    "mit, in a sign": ("mit", f"{MIT}\n\N{NO ENTRY SIGN}\N{BANKNOTE WITH DOLLAR SIGN}\n"),
    **{
        f"mit, {line}": ("mit", f"{MIT}\n{line}\n")
        for line in (
            "(c) 2 Commercial use of any kind is forbidden without the written consent of the authors.",
            "(c) 2024 Research Use Only",
            "Copyright (c) 2024 Military Use Prohibited",
            "Copyright (c) 2024 禁止商用",
            "Copyright (c) 2024 Somebody. This license may be revoked.",
            "Copyright (c) 2024 Somebody, who keeps every right to earn money with it",
            "Copyright (c) 2024 https://example.org/no-commercial-use",
        )
    },
    "bsd, in place of the holder": (
        "bsd-3-clause",
        BSD.replace("the copyright holder nor", "Somebody, who forbids commercial use, nor"),
    ),
    "mit, with a condition": ("mit", MIT.replace("without restriction,", "without restriction but military use,")),
    "mit, without commerce": ("mit", MIT + "\n\nCommercial use needs the written consent of the authors.\n"),
    "apache, without a clause": (
        "apache-2.0",
        re.sub(r"3\. Grant of Patent.*?4\. ", "", TEXTS["apache-2.0"], flags=re.S),
    ),
    "bsd, with two more": ("bsd-3-clause", BSD + "\nThird parties:\n" + TEXTS["cc0-1.0"]),
}


@pytest.mark.parametrize("case", ALTERED)
def test_a_known_text_that_was_altered_agrees_with_no_licence(tmp_path: Path, case: str) -> None:
    name, text = ALTERED[case]
    (found,) = declared(tmp_path / "model", LICENSE=text)
    assert found.altered and not found.names and len(found.says) <= 500
    assert found.says.startswith((f"like the text of {name}, but altered: ", "like the text of cc0-1.0, but altered: "))
    assert contradicting([found], {name}) == contradicting([found], {"gemma"}) == (found,)


def test_what_a_copy_fills_in_or_marks_otherwise_is_no_alteration() -> None:
    holder = BSD.replace("the copyright holder nor", "Example Research Ltd. nor")
    assert holder != BSD and recognise(holder) == {"bsd-3-clause"}
    bullets = re.sub(r"^(\s*)\d\.", r"\1*", BSD, flags=re.MULTILINE)
    assert bullets != BSD and recognise(bullets) == {"bsd-3-clause"}


@pytest.mark.parametrize(
    "line",
    [
        "Copyright (c) 2010-2020 Benjamin Example",
        "Copyright © 2017- Paul Müller <paul@example.io>. All rights reserved.",
        "Copyright (c) 2012-present, the example contributors (see AUTHORS.md)",
        "Copyright 2016 Example.com, Inc. or its affiliates. All Rights Reserved.",
        "Copyright © 2019, [Example OSS Ltd](https://www.example.io/).",
        "(c) 2015 go-example",
        "Copyright (c) 2008-2020 Andrey Tobin and contributors.",
        "Copyright 2025 [name of copyright owner]",
        "Copyright (c) Example Corporation.",
    ],
)
def test_a_line_of_copyright_is_no_alteration(line: str) -> None:
    assert recognise(TEXTS["mit"].replace("Copyright (c) <year> <copyright holders>", line)) == {"mit"}


def test_an_altered_text_is_shown_where_it_differs(tmp_path: Path) -> None:
    _, refused = ALTERED["apache, refused"]
    (found,) = declared(tmp_path / "apache", LICENSE=refused)
    assert found.says == (
        "like the text of apache-2.0, but altered: in place of “grants to you a perpetual worldwide” it has "
        "“refuses to you a perpetual worldwide”"
    )
    (found,) = declared(tmp_path / "mit", LICENSE=MIT + "\n禁止任何商业用途。")
    assert found.says == "like the text of mit, but altered: in place of its end it has “禁止任何商业用途”"


def test_of_a_text_that_is_not_at_hand_only_its_heading_is_said(tmp_path: Path) -> None:
    (found,) = declared(tmp_path / "gemma", LICENSE="Gemma Terms of Use\n\nYou may do nothing at all.")
    assert found.says == "headed as gemma, whose text is not at hand to compare; it may be altered"
    assert contradicting([found], {"mit"}) == (found,) and contradicting([found], {"gemma"}) == ()
    (found,) = declared(tmp_path / "both", LICENSE=f"Gemma Terms of Use\n\n{MIT}")
    assert found.altered and contradicting([found], {"gemma"}) == (found,)


def test_a_text_of_its_own_is_like_none(tmp_path: Path) -> None:
    for number, text in enumerate(("Ask us.", MIT[: len(MIT) // 2], "See the licence MIT at our site. " * 40)):
        (found,) = declared(tmp_path / str(number), LICENSE=text)
        assert found.says == "not recognised" and not found.altered


def test_a_folder_that_says_nothing_declares_nothing(tmp_path: Path) -> None:
    assert declared(tmp_path, README_md="# A model\n") == ()
    assert declared(tmp_path, README_md="---\nlanguage: en\n---\n# A model\n") == ()


def test_licence_files_of_other_encodings_and_sizes(tmp_path: Path) -> None:
    latin = TEXTS["mit"].replace("<copyright holders>", "Müller").encode("latin-1")
    assert names(declared(tmp_path / "a", LICENSE=latin)) == [{"mit"}]
    assert names(declared(tmp_path / "b", LICENSE=b"\xef\xbb\xbf" + MIT.replace("\n", "\r\n").encode())) == [{"mit"}]
    assert names(declared(tmp_path / "c", LICENSE=bytes(range(256)) * 100)) == [set()]
    (long,) = declared(tmp_path / "d", LICENSE=b"x " * MAX_LICENSE)
    assert not long.names and "longer" in long.says


def test_many_licence_files_are_not_read_without_end(tmp_path: Path) -> None:
    found = declared(tmp_path, **{f"LICENSE-{index:03}": MIT for index in range(MAX_LICENSE_FILES + 3)})
    assert [bool(one.names) for one in found] == [True] * MAX_LICENSE_FILES + [False] * 3


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("license: apache-2.0", [{"apache-2.0"}]),
        ("license: Apache-2.0", [{"apache-2.0"}]),
        ("license: 'mit'\r\nlanguage: en\r", [{"mit"}]),
        ("license:\n- mit\n- apache-2.0", [{"mit"}, {"apache-2.0"}]),
        ("license: [mit]", [{"mit"}]),
        ("license: >-\n  mit", [{"mit"}]),
        ("license: openrail++", [{"creativeml-openrail-plus-plus-m"}]),
        ("license: llama3.1", [{"llama3.1"}]),
        ("license: lgpl-2.1", [{"lgpl-2.1"}]),
        ("license: other\nlicense_name: deepseek\nlicense_link: LICENSE", [{"deepseek"}]),
        ("license: other\nlicense_name: Mistral AI Research License", [{"mrl"}]),
        ("license: other\nlicense_name: acme-1", [{"acme-1"}]),
        ("license_name: mrl", [{"mrl"}]),
        ("license: other\nlicense_link: https://example.org/x", [set()]),
        ("license: other", [set()]),
        ("license: unknown", [set()]),
        ("license:", []),
        ("license: null", [set()]),
        ("base: {license: mit}\nmodel-index:\n- name: x\n  license: mit", []),
        ("license: apache-2.0\nbase: {license: mit}\nx: [{license: gpl}]", [{"apache-2.0"}]),
        ("base: &a {b: [1, 2]}\nother: *a\nlicense: mit", [{"mit"}]),
    ],
)
def test_the_front_matter_of_the_model_card(tmp_path: Path, card: str, expected: list[set[str]]) -> None:
    for text in (f"---\n{card}\n---\n# Title\nlicense: gpl\n", f"\ufeff---\r\n{card}\r\n---"):
        assert names(declared(tmp_path, README_md=text)) == expected


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (b"license: mit\nlicense: apache-2.0", "twice"),
        (b"license: {a: b}", "neither"),
        (b"license: [[mit]]", "neither"),
        (b"x: &a mit\nlicense: *a", "neither"),
        (b"license: mit\nlicense_name: {a: 1}", "neither"),
        (b"- license: mit", "list"),
        (b"license: [" + b"mit," * (MAX_TAGS + 1) + b"]", "values"),
        (b"license: [mit", "not YAML"),
        (b"license: mit\n\tx: y: z", "not YAML"),
        (b"license: mit\nx: \x00", "not YAML"),
        (b"license: \xff\xfe", "not UTF-8"),
        (b'license: "mit\\x07"', "shown"),
    ],
)
def test_front_matter_that_cannot_be_read_says_why(tmp_path: Path, card: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        front_matter(b"---\n" + card + b"\n---\n")
    (one,) = declared(tmp_path, README_md=b"---\n" + card + b"\n---\n")
    assert not one.names and reason in one.says


def test_front_matter_is_bounded() -> None:
    bomb = b"a0: &a0 [x,x]\n" + b"".join(b"a%d: &a%d [*a%d,*a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 60))
    merges = b"b: &b {<<: [*a, *a]}\n"
    start = time.monotonic()
    assert front_matter(b"---\n" + bomb + merges + b"license: mit\n---\n") == {"license": ["mit"]}
    nested = b"x: " + b"[" * 50_000
    for hostile in (nested, b"? " * 100_000, b"x: " + b"{a: " * 20_000, b"- " * 100_000, b"&a " * 100_000):
        with pytest.raises(ValueError, match="it is"):
            front_matter(b"---\n" + hostile + b"\n---\n")
    with pytest.raises(ValueError, match="longer"):
        front_matter(b"---\nlicense: mit\n" + b"# x\n" * MAX_FRONT_MATTER)
    assert front_matter(b"---\nlicense: mit\n# no end\n") == {}
    assert time.monotonic() - start < 20


@given(st.binary(max_size=200))
def test_front_matter_is_read_or_refused(data: bytes) -> None:
    for block in (data, b"license: " + data, b"license:\n" + data):
        try:
            found = front_matter(b"---\n" + block + b"\n---\n")
        except ValueError:
            continue
        assert all(isinstance(value, str) for values in found.values() for value in values)


def test_a_tag_may_stand_for_several_licences_and_an_unknown_one_for_itself() -> None:
    assert "cc-by-nc-4.0" in named("cc", KNOWN) and "mit" not in named("cc", KNOWN)
    assert named("gpl-3.0-only", KNOWN) == {"gpl-3.0"}
    assert named("LicenseRef-scancode-llama-2-license-2023", KNOWN) == {"llama2"}
    assert named("Acme Licence", KNOWN) == {"acme-licence"} == {slug("  Acme -- Licence ")}
    card = Declaration("README.md", "license: openrail", named("openrail", KNOWN))
    assert contradicting([card], {"creativeml-openrail-m"}) == ()
    assert contradicting([card], {"mit"}) == (card,)


def test_known_licences_are_told_apart_by_every_name() -> None:
    for one in KNOWN:
        assert one.name in named(one.name, KNOWN) and len(named(one.name, KNOWN)) == 1, one.name
    digests = {hashlib.sha256((one.text or one.heading).encode()).digest() for one in KNOWN}
    assert len(digests) == len(KNOWN)
    assert headed("Anything at all", [KnownLicense("x", frozenset(), "", None)]) is None
