"""The peer of `verify_http.py`: FastAPI with one `async def` endpoint that looks a release up in SQLite itself.

python _bare_lookup.py INDEX PORT
"""

import sqlite3
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException

_COLUMNS = "release_id, seq, timestamp, since, publisher, name, version, artifact, manifest, terms"
_LOOKUP = f"SELECT {_COLUMNS} FROM releases WHERE deployment = 1 AND artifact = ?"  # noqa: S608


def make_app(index: str) -> FastAPI:
    """The application over an index in SQLite."""
    app = FastAPI()
    connection = sqlite3.connect(index)

    @app.get("/releases/{artifact}")
    async def get_release(artifact: str) -> dict[str, Any]:
        """The release of these bytes, by their digest in hex."""
        row = connection.execute(_LOOKUP, (bytes.fromhex(artifact),)).fetchone()
        if row is None:
            raise HTTPException(404)
        found = dict(zip(_COLUMNS.split(", "), row, strict=True))
        return {name: value.hex() if isinstance(value, bytes) else value for name, value in found.items()}

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[1]), port=int(sys.argv[2]), log_level="warning", access_log=False)
