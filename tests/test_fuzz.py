"""The targets of `make fuzz`: their seeds are sound, each reader reads its own, and no change of them is a defect."""

import random
from pathlib import Path

import pytest

from fuzz.targets import TARGETS, run

CORPUS = Path(__file__).resolve().parent.parent / "fuzz" / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_each_reader_reads_a_seed_of_its_own(name: str) -> None:
    target, _ = TARGETS[name]
    target((CORPUS / name / "sound").read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_comes_of_them_are_no_defects(name: str) -> None:
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    dice = random.Random(name)
    for seed in seeds:
        run(name, seed)
        for _ in range(200):
            changed = bytearray(seed)
            for _ in range(dice.randint(1, 5)):
                place = dice.randrange(len(changed) + 1)
                change = dice.randrange(3)
                if change == 0:
                    changed[place:place] = dice.choice((b"\xff", b"\x80\x02", b"\0" * 8, b"\xff" * 8))
                elif change == 1:
                    del changed[place : place + dice.randint(1, 8)]
                else:
                    changed[place : place + 1] = bytes((dice.randrange(256),))
            run(name, bytes(changed))
