"""The `datasets:` block of a model card's metadata, as Hugging Face reads it from the front matter of README.md."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import yaml

from registry.artifacts.training.document import Dataset

_ON_THE_HUB: Final = re.compile(
    r"https://huggingface\.co/datasets/([A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?)/?", re.ASCII
)


class CardDatasets(NamedTuple):
    """The block, and the names of the data sets that it cannot name: the hub has no identifier for them."""

    text: str
    left_out: tuple[str, ...]


def card_datasets(datasets: Sequence[Dataset]) -> CardDatasets:
    """The identifiers on the hub of the data sets that are there. YAML, for between the two lines of dashes.

    An identifier says nothing of which revision was read, and an empty list not that there was no data.
    """
    found, left_out = [], []
    for dataset in datasets:
        named = _ON_THE_HUB.fullmatch(dataset.url or "")
        if named:
            found.append(named[1])
        else:
            left_out.append(dataset.name)
    lines = [yaml.safe_dump({"datasets": list(dict.fromkeys(found))}, sort_keys=False)] if found else []
    lines += [f"# not on the hub, and so not named here: {name}\n" for name in left_out]
    return CardDatasets("".join(lines), tuple(left_out))
