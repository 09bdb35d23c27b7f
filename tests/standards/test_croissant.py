"""Croissant documents are read by mlcroissant, which finds what is wrong and asks nobody for anything."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts.training.document import TRAINING_DATA_TYPE, import_training_manifest
from registry.content.unixfs import document_shape
from registry.errors import InvalidDocument, InvalidSettings
from registry.standards import croissant
from registry.standards.croissant import read_croissant, spdx_of

SHA256 = "5a" * 32
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
FILE: dict[str, Any] = {
    "@type": "cr:FileObject",
    "@id": "pairs.csv",
    "name": "pairs.csv",
    "contentUrl": "https://example.com/pairs.csv",
    "contentSize": "4242 B",
    "encodingFormat": "text/csv",
    "sha256": SHA256,
}
DOCUMENT: dict[str, Any] = {
    "@context": CONTEXT,
    "@type": "sc:Dataset",
    "conformsTo": "http://mlcommons.org/croissant/1.0",
    "name": "pairs",
    "description": "Questions and answers.",
    "license": "https://creativecommons.org/licenses/by-sa/4.0/",
    "url": "https://example.com/pairs",
    "version": "1.2.0",
    "inLanguage": "en",
    "distribution": [FILE],
    "recordSet": [
        {
            "@type": "cr:RecordSet",
            "@id": "pairs",
            "name": "pairs",
            "field": [
                {
                    "@type": "cr:Field",
                    "@id": "pairs/question",
                    "name": "question",
                    "dataType": "sc:Text",
                    "source": {"fileObject": {"@id": "pairs.csv"}, "extract": {"column": "question"}},
                }
            ],
        }
    ],
}


def read(**changes: Any) -> croissant.CroissantDescription:
    return read_croissant(json.dumps({**DOCUMENT, **changes}).encode())


class Asked(http.server.ThreadingHTTPServer):
    """A server on this machine that counts what it is asked for."""

    requests = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Asked)
        self.server.requests += 1
        body = json.dumps({"@context": CONTEXT}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/ld+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def asked() -> Iterator[Asked]:
    with Asked(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_what_a_document_says_of_its_data_set(version: str) -> None:
    document = DOCUMENT | {"conformsTo": f"http://mlcommons.org/croissant/{version}"}
    data = json.dumps(document).encode()
    found = read_croissant(data)
    assert found.keys == {
        "name": "pairs",
        "revision": "1.2.0",
        "license": "CC-BY-SA-4.0",
        "url": "https://example.com/pairs",
        "languages": ["en"],
        "bytes": 4242,
        "digest": f"sha256:{SHA256}",
        "croissant": str(document_shape(data).cid),
        "fields": [{"name": "question", "type": "https://schema.org/Text"}],
    }
    dataset = found.keys | {"role": "finetuning", "disclosure": "full"}
    assert import_training_manifest({"type": TRAINING_DATA_TYPE, "datasets": [dataset]}).table is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT", "MIT"),
        ("https://spdx.org/licenses/Apache-2.0.html", "Apache-2.0"),
        ("https://choosealicense.com/licenses/mit/", "mit"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/licenses/by-nc-nd/4.0/legalcode", "CC-BY-NC-ND-4.0"),
        ("https://creativecommons.org/licenses/by/9.9/", None),
        ("https://example.com/licenses/MIT", None),
        ("some of our own", None),
    ],
)
def test_a_licence_is_taken_where_it_is_certain(text: str, expected: str | None) -> None:
    assert spdx_of(text) == expected


@pytest.mark.parametrize(("second", "expected"), [("Apache-2.0", "MIT AND Apache-2.0"), ("of our own", None)])
def test_of_several_licences_all_are_certain_or_none_is_taken(second: str, expected: str | None) -> None:
    assert read(license=["MIT", second]).keys.get("license") == expected


def test_the_findings_of_the_library_are_sentences() -> None:
    with pytest.raises(InvalidDocument, match=r"not valid\. mlcroissant finds: ") as raised:
        read(distribution=[{key: value for key, value in FILE.items() if key not in ("contentUrl", "encodingFormat")}])
    findings = raised.value.details["findings"]
    assert [one.partition(" is mandatory")[0].rpartition("/")[2] for one in findings] == [
        'contentUrl"',
        'encodingFormat"',
    ]
    assert all(one in raised.value.message for one in findings)


@pytest.mark.parametrize(
    "changes",
    [
        {"recordSet": [{"@type": "cr:RecordSet", "@id": "r", "field": [{"@type": "cr:Field", "@id": "r/x"}]}]},
        {"distribution": "pairs.csv"},
        {"distribution": [FILE | {"@id": "has spaces"}]},
        {"license": 5},
    ],
)
def test_whatever_makes_the_library_stumble_is_a_finding(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument, match="mlcroissant finds"):
        read(**changes)


def test_an_address_in_the_place_of_a_digest_pins_nothing_and_is_not_asked(asked: Asked) -> None:
    """Hugging Face writes one for a repository."""
    address = f"{asked.address}/issues/80"
    found = read(distribution=[FILE | {"sha256": address, "contentUrl": f"{asked.address}/pairs.csv"}])
    assert "digest" not in found.keys
    assert any(address in one and "pins nothing" in one for one in found.warnings)
    assert asked.requests == 0


@pytest.mark.parametrize(
    "place", ["alone", "in a list", "imported", "of a term", "of a term called data", "deep", "of a file"]
)
def test_a_context_that_lies_elsewhere_is_refused_and_not_asked_for(asked: Asked, place: str) -> None:
    address = f"{asked.address}/context"
    changes: dict[str, dict[str, Any]] = {
        "alone": {"@context": address},
        "in a list": {"@context": [CONTEXT, address]},
        "imported": {"@context": CONTEXT | {"@version": 1.1, "@import": address}},
        "of a term": {"@context": CONTEXT | {"thing": {"@id": "cr:thing", "@context": address}}},
        "of a term called data": {"@context": CONTEXT | {"data": {"@id": "cr:data", "@context": address}}},
        "deep": {"@context": CONTEXT | {"examples": {"@id": "cr:examples", "@context": [{"@import": address}]}}},
        "of a file": {"distribution": [FILE | {"@context": address}]},
    }
    with pytest.raises(InvalidDocument, match=r"takes its context from .* Nothing is fetched"):
        read(**changes[place])
    assert asked.requests == 0


def test_the_reader_itself_can_ask_nobody(asked: Asked) -> None:
    """What is refused before it would be refused there too: no context is fetched even where one slips through."""
    reader = Path(croissant.__file__).with_name("croissant_reader.py")
    document = DOCUMENT | {"distribution": [FILE | {"@context": f"{asked.address}/context"}]}
    done = subprocess.run(
        [sys.executable, "-I", str(reader)], input=json.dumps(document).encode(), capture_output=True, check=True
    )
    assert "nothing is fetched" in json.loads(done.stdout)["errors"][0]
    assert asked.requests == 0


@pytest.mark.parametrize("value", [[], {}, {"conformsTo": "http://example.com"}])
def test_what_is_no_croissant_is_not_handed_on(value: Any) -> None:
    with pytest.raises(InvalidDocument, match="no Croissant document"):
        read_croissant(json.dumps(value).encode())


def test_without_the_library_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(InvalidSettings, match="the extra “croissant”"):
        read()
