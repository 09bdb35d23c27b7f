"""Fuzzes the readers of strangers' bytes, guided by coverage (atheris).

    python fuzz/run.py SECONDS [TARGET …]
    python fuzz/run.py --runs RUNS [TARGET …]

The second tries the same inputs whenever it is run, for a check that must come out the same. Each target runs in a
process of its own, from the seeds in `fuzz/corpus/TARGET`. What crashes one is written to `reports/fuzz/`, and the exit
code is 1. Put such a file into the corpus: a test runs every seed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
REPORTS = ROOT / "reports" / "fuzz"


def fuzz(name: str, arguments: list[str]) -> None:
    """Runs one target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["registry", "fuzz.targets", "pickletools", "zipfile"]):
        from fuzz.targets import run
    atheris.Setup([name, *arguments], lambda data: run(name, data))
    atheris.Fuzz()


def main() -> int:
    """Every target that is named, or all, for so many seconds each or with so many inputs."""
    sys.path[0] = str(ROOT)
    if len(sys.argv) > 2 and sys.argv[1] == "--one":
        fuzz(sys.argv[2], sys.argv[3:])
        return 0
    from fuzz.targets import TARGETS

    counted = sys.argv[1] == "--runs"
    amount, *names = sys.argv[2:] if counted else sys.argv[1:]
    limit = [f"-runs={int(amount)}", "-seed=1"] if counted else [f"-max_total_time={int(amount)}"]
    REPORTS.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in names or TARGETS:
        print(f"== {name}, {amount} {'inputs' if counted else 's'}", flush=True)
        with tempfile.TemporaryDirectory() as found:
            limits = [*limit, "-max_len=4096", "-rss_limit_mb=1024", "-timeout=10"]
            quiet = ["-print_final_stats=0", "-verbosity=0", f"-artifact_prefix={REPORTS}/{name}-"]
            command = [sys.executable, __file__, "--one", name, *limits, *quiet, found, str(CORPUS / name)]
            done = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
            )
            if done.returncode:
                print(done.stdout + done.stderr)
                failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}; the inputs are in {REPORTS.relative_to(ROOT)}.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
