"""Names and cursors that no database takes: each has an answer, the same whichever database holds the index."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from postgres_server import Postgres
from waiting import wait_until

from registry.chain.devnode import DevNode
from tests.api.conftest import Publish, serving
from tests.api.test_databases import on, read

_FARTHEST = (1 << 53) - 1


def made(*key: Any) -> str:
    """A cursor of a client's own making."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def test_what_no_database_takes_is_answered_alike_by_both(
    node: DevNode, publish: Publish, new_index: Callable[[], str], tmp_path: Path
) -> None:
    model = publish("m", {"a": b"a"})
    file = f"/v1/files/{model.files()[0]['cid']}"
    of = f"/v1/publishers/{model.publisher}"
    with serving(on(new_index(), node, tmp_path)) as api:
        wait_until(lambda: read(api, model.release))
        for text in ("\ud800", "a\0b", "\udfff", "\0", "é"):
            refused = [
                (f"{of}/models", made("models", text)),
                (of, made("delegates", text)),
                ("/v1/search?name=d", made("search", text, text)),
                (f"/v1/grants?release={model.release}", made("grants", text)),
                (file, made("file", text, "00" * 32, 1)),
                (file, made("file", "a", text, 1)),
            ]
            for path, after in refused:
                answer = api.get(path + ("&" if "?" in path else "?") + f"after={after}")
                assert (answer.status_code, answer.json()["code"]) == (400, "input.query"), (path, text)
        assert api.get("/v1/events", params={"publisher": model.publisher, "name": "a\0"}).status_code == 400
        empty = [
            ("/v1/search", {"name": "m\0"}, "items"),
            (f"{of}/models/%00", {}, "items"),
            (file, {"after": made("file", "0x" + "f" * 40, "ff" * 32, _FARTHEST)}, "found"),
            (file, {"after": made("file", "0x" + "f" * 40, "ff" * 32, -_FARTHEST)}, "found"),
            (f"/v1/releases/{model.release}", {"files_from": str(_FARTHEST)}, "files"),
        ]
        for path, asked, name in empty:
            answer = api.get(path, params=asked or None)
            assert (answer.status_code, answer.json()[name]) == (200, []), (path, asked, answer.text)


@pytest.mark.postgres
def test_who_asks_a_service_without_its_database_is_not_told_where_it_is(
    node: DevNode, publish: Publish, postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = publish("m", {"a": b"a"})
    with postgres.databases() as new_database, serving(on(url := new_database(), node, tmp_path)) as api:
        wait_until(lambda: read(api, model.release))
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE cursors RENAME TO gone")
        try:
            asked = [
                api.get("/v1/log"),
                api.post("/v1/verify", json={"what": model.cid}),
                api.post("/v1/verify/batch", json={"items": [{"what": model.cid}]}),
            ]
        finally:
            with psycopg.connect(url) as connection:
                connection.execute("ALTER TABLE gone RENAME TO cursors")
    for answer in asked:
        assert answer.status_code == 503 and answer.json()["code"] == "index.unavailable"
        assert answer.json()["detail"] == "The index cannot be used just now."
        assert "details" not in answer.json() and postgres.folder.name not in answer.text
    assert any(r.name == "api.problems" and postgres.folder.name in r.getMessage() for r in caplog.records)
