"""What is no JSON: events, metrics, blocks."""

from typing import Final

EVENTS: Final = """retry: 2000

id: 1.2147483647.7d80234e4222819872b607cc8332a575457a983c78c0e230bb0e93941b6492f2
event: ready
data: {"after_block": 1}

id: 2.0.7d80234e4222819872b607cc8332a575457a983c78c0e230bb0e93941b6492f2
event: release
data: {"release": "release:0x953bff25cfe9185dc05f54d920c4a5ad37d7ebbed671d56e3cd562ee5e0db600", "name": "my-model"}

"""

METRICS: Final = """# HELP provenance_index_behind_blocks Blocks of the node's chain that are not read yet
# TYPE provenance_index_behind_blocks gauge
provenance_index_behind_blocks 0.0
"""

BLOCK: Final = "hello\n"
"""The block bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am."""

BLOCK_IN_CAR: Final = (
    ':\xa2eroots\x81\xd8*X%\x00\x01U\x12 X\x91\xb5\xb5"\xd5\xdf\x08m\x0f\xf0\xb1\x10\xfb\xd9\xd2\x1b\xb4\xfcqc\xaf4\xd0'
    '\x82\x86\xa2\xe8F\xf6\xbe\x03gversion\x01*\x01U\x12 X\x91\xb5\xb5"\xd5\xdf\x08m\x0f\xf0\xb1\x10\xfb\xd9\xd2\x1b\xb4'
    "\xfcqc\xaf4\xd0\x82\x86\xa2\xe8F\xf6\xbe\x03hello\n"
)
"""A CAR of that block, a character for each byte."""
