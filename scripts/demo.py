"""The whole path on this machine: real models onto a real EVM node, stored by IPFS address, verified over HTTP.

    make demo          runs it and ends
    make demo KEEP=1   leaves the stack up, and prints its address and its keys
    make demo STORE=kubo   stores in a real Kubo instead of a folder

Everything happens below `.demo/`. Every step checks what it claims: a verdict other than the expected one ends the demo
with exit 1.
"""

import filecmp
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from demo_kubo import Node, running
from demo_licensing import licensing
from models import SHARDED, get_models
from rich.console import Console
from rich.markup import escape

from registry.cli.single import alone
from registry.errors import FolderInUse, SetupError

ACCOUNTS = ("publisher-1", "publisher-2", "stranger")
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".demo"
PROVENANCE = ROOT / ".venv" / "bin" / "provenance"

console = Console(highlight=False, soft_wrap=True)
Document = dict[str, Any]


class DemoFailed(Exception):
    """A step did not do what it says."""


def expect(true: bool, sentence: str) -> None:
    """Ends the demo unless `true`."""
    if not true:
        raise DemoFailed(sentence)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """The local stack and the two ways to it: the command line and HTTP."""

    def __init__(self, home: Path, store: str | None = None) -> None:
        self.home = home
        self.rpc_url = f"http://127.0.0.1:{free_port()}"
        self.api_url = f"http://127.0.0.1:{free_port()}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROVENANCE_")}
        self.environment = inherited | {"PROVENANCE_HOME": str(home), "PROVENANCE_RPC_URL": self.rpc_url}
        if store is not None:
            self.environment["PROVENANCE_STORE"] = store
        self.http = httpx.Client(base_url=self.api_url, timeout=30, trust_env=False)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """`provenance dev` in a process of its own, until the block ends."""
        log = self.home / "dev.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        ports = ["--port", self.rpc_url.rsplit(":", 1)[1], "--api-port", self.api_url.rsplit(":", 1)[1]]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [PROVENANCE, "dev", *ports],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                self._wait(process, log)
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                if self.http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise DemoFailed(f"The local stack did not come up:\n{log.read_text(errors='replace')[-2000:]}")

    def run(self, account: str, *arguments: str, code: int = 0) -> Document:
        """One command of `provenance`, as one of the local accounts; its JSON."""
        keys = {
            "PROVENANCE_KEYSTORE": str(self.home / "dev" / f"{account}.json"),
            "PROVENANCE_PASSWORD_FILE": str(self.home / "dev" / "password"),
        }
        done = subprocess.run(
            [PROVENANCE, *arguments, "--json"],
            env=self.environment | keys,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        expect(
            done.returncode == code,
            f"provenance {arguments[0]} ended with {done.returncode}: {done.stderr}{done.stdout}",
        )
        document: Document = json.loads(done.stdout)
        return document

    def verify(self, subject: Document, policy: Document | None) -> Document:
        """`POST /v1/verify`."""
        response = self.http.post("/v1/verify", json=subject | ({"policy": policy} if policy else {}))
        expect(response.status_code == 200, f"POST /v1/verify: {response.status_code} {response.text}")
        document: Document = response.json()
        return document

    def caught_up(self, release: str) -> None:
        """Waits until the service has read a release and its manifest."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            response = self.http.get(f"/v1/releases/{release}")
            if response.status_code == 200 and response.json()["manifest"]["state"] == "available":
                return
            time.sleep(0.05)
        raise DemoFailed(f"the service did not read {release} within 30 s: {response.text}")


class Report:
    """What was done, a line each, with its time."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()

    def line(self, what: str, outcome: str = "") -> None:
        now = time.perf_counter()
        console.print(f"[dim]{now - self.last:6.2f} s[/]  {what}" + (f"  {outcome}" if outcome else ""))
        self.last = now

    def verdict(self, what: str, verdict: Document, expected: str, *codes: str) -> None:
        """A line for a verdict, which must be the expected one for (at least) the expected reasons."""
        found = {reason["code"] for reason in verdict["reasons"]}
        colour = {"allow": "green", "refuse": "red", "unknown": "yellow"}[verdict["verdict"]]
        named = " ".join(codes)
        self.line(what, f"[{colour}]{verdict['verdict']}[/] [dim]{named}[/]")
        expect(verdict["verdict"] == expected, f"{what}: expected {expected}, got {json.dumps(verdict, indent=1)}")
        expect(set(codes) <= found, f"{what}: expected the reasons {codes}, got {sorted(found)}")

    def claims(self, verdict: Document) -> None:
        """A line for each claim that a verdict lists."""
        for claim in verdict["claims"]:
            terms = f"{claim['license']}; {claim['match']}; {claim['status']}"
            console.print(f"          listed: {claim['name']}@{claim['version']} [dim]({terms})[/]")


def same_files(left: Path, right: Path) -> bool:
    """Whether two folders hold the same files with the same bytes."""
    files = [sorted(p.relative_to(base) for p in base.rglob("*") if p.is_file()) for base in (left, right)]
    return files[0] == files[1] and not any(filecmp.cmpfiles(left, right, map(str, files[0]), shallow=False)[1:])


def listed(digest: Document) -> list[Document]:
    """The file list of `provenance digest --json` as a verify request takes it."""
    return [{key: file[key] for key in ("path", "size", "cid")} for file in digest["files"]]


def demo(stack: Stack, models: dict[str, Path], report: Report) -> None:
    """Publishes, verifies, fetches, revokes."""
    embedder, detector = models["all-minilm-l6-v2"], models["silero-vad-jit"]

    def publish(account: str, folder: Path, name: str, version: str, terms: str, *more: str) -> Document:
        done = stack.run(
            account, "publish", str(folder), "--name", name, "--version", version, "--license", terms, "--yes", *more
        )
        size = done["size"] / 1e6
        report.line(
            f"published [bold]{name}@{version}[/] ({size:.1f} MB, {terms}) as {escape(account)}",
            f"[dim]{done['cid']}[/]",
        )
        return done

    base = publish("publisher-1", embedder, "all-minilm-l6-v2", "1.0", "apache-2.0")
    jit = publish("publisher-2", detector, "silero-vad-jit", "6.2.3", "mit")
    parent = f"{jit['release']}=conversion"
    onnx = publish("publisher-2", models["silero-vad-onnx"], "silero-vad-onnx", "6.2.3", "mit", "--parent", parent)
    tensors = models["silero-vad-safetensors"]
    whole = publish("publisher-2", tensors, "silero-vad-safetensors", "6.2.3", "mit", "--parent", parent)
    split = f"{whole['release']}=conversion"
    shards = publish("publisher-2", models[SHARDED], SHARDED, "6.2.3", "mit", "--parent", split)

    second = publish("stranger", embedder, "all-minilm-l6-v2", "1.0", "apache-2.0")
    expect(second["cid"] == base["cid"], "the stranger claims the same bytes")
    loot = FOLDER / "run" / "loot"
    shutil.copytree(embedder, loot)
    (loot / "NOTICE").write_text("Mine, says a stranger.\n")
    answer = ("--license-differs", "Mine, whatever the model card says.")
    stolen = publish("stranger", loot, "all-minilm-l6-v2", "1.1", "mit", *answer)
    for release in (base, jit, onnx, whole, shards, second, stolen):
        stack.caught_up(release["release"])
    report.line("the service has followed the chain and read every manifest")

    trust = {
        "version": 1,
        "publishers": [base["publisher"]],
        "licenses": ["apache-2.0", "mit"],
        "uses": ["run", "commercial"],
    }
    trust_both = trust | {"publishers": [base["publisher"], jit["publisher"]]}
    copy = FOLDER / "run" / "copy"
    shutil.copytree(embedder, copy)
    digest = stack.run("publisher-1", "digest", str(copy))
    expect(digest["cid"] == base["cid"], "a copy has another digest than its original")
    report.line(f"hashed an untouched copy ({digest['size'] / 1e6:.1f} MB)", "[dim]same CID[/]")

    untouched = {"what": digest["cid"]}
    trusted = stack.verify(untouched, trust)
    report.verdict("untouched copy, its publisher trusted", trusted, "allow", "use-allowed")
    no_policy = stack.verify(untouched, None)
    report.verdict("untouched copy, no policy", no_policy, "unknown", "no-trusted-publisher")
    report.claims(no_policy)
    expect(len(no_policy["claims"]) == 2, "both claims on the untouched copy are listed")
    neither = trust | {"publishers": [jit["publisher"]], "otherwise": "refuse"}
    same = stack.verify(untouched, neither)
    report.verdict("the same bytes, claimed only by strangers to a strict policy", same, "refuse", "only-strangers")

    (origin,) = stack.http.get(f"/v1/releases/{onnx['release']}").json()["parents"]
    expect(origin["release"] == jit["release"], "the parent of the ONNX model is the TorchScript one")
    made = f"ONNX, by {origin['relation']} from {jit['name']}@{jit['version']}"
    report.verdict(made, stack.verify({"what": onnx["cid"]}, trust_both), "allow", "use-allowed")

    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    flipped = stack.run("publisher-1", "digest", str(copy))
    tampered = stack.verify({"what": flipped["cid"], "files": listed(flipped)}, trust)
    changed = [entry["path"] for entry in tampered["match"]["changed"]]
    report.verdict(f"one bit flipped (changed: {', '.join(changed)})", tampered, "unknown", "match-not-accepted")
    expect(changed == ["model.safetensors"], f"the changed file is named: {changed}")

    files = listed(stack.run("publisher-2", "digest", str(models[SHARDED])))
    shard = [file for file in files if file["path"] == "model-00001-of-00002.safetensors"]
    subset = stack.verify({"files": shard}, trust_both | {"accept": ["exact", "subset"]})
    report.verdict("one of two shards, subsets accepted", subset, "allow", "use-allowed")
    expect(subset["match"]["kind"] == "subset" and len(subset["match"]["missing"]) == 3, "a shard is a true subset")
    exact = stack.verify({"files": shard}, trust_both)
    report.verdict("one of two shards, only the whole accepted", exact, "unknown", "match-not-accepted")
    strict = stack.verify({"what": stolen["cid"]}, trust | {"otherwise": "refuse"})
    report.verdict("other bytes, claimed by a stranger, strict policy", strict, "refuse", "only-strangers")

    accounts = {
        name: release["publisher"].rsplit(":", 1)[1]
        for name, release in (("publisher-1", base), ("publisher-2", jit), ("stranger", stolen))
    }
    licensing(stack, report, models["silero-vad-onnx"], FOLDER / "run", accounts)

    fetched = FOLDER / "run" / "fetched"
    stack.run("publisher-1", "fetch", base["cid"], str(fetched))
    expect(same_files(embedder, fetched), "what was fetched differs from what was published")
    report.line("fetched it back by CID and compared every byte", "[dim]identical[/]")

    revoke = ("status", base["release"], "revoked", "--reason", "security", "--yes")
    stack.run("publisher-1", *revoke)
    deadline = time.monotonic() + 30
    while (after := stack.verify(untouched, trust))["verdict"] == "allow" and time.monotonic() < deadline:
        time.sleep(0.05)
    report.verdict("revoked by its publisher", after, "refuse", "revoked")


def show_in_kubo(node: Node, models: dict[str, Path], report: Report) -> None:
    """What Kubo itself says: it has the artifact pinned by the CID on chain, and gives the same files."""
    root = json.loads(subprocess.check_output([PROVENANCE, "digest", models["all-minilm-l6-v2"], "--json"]))["cid"]
    expect(root in node.run("pin", "ls", "--type=recursive", "--quiet").split(), f"Kubo has {root} pinned")
    by_kubo = FOLDER / "run" / "by-kubo"
    node.run("get", "-o", str(by_kubo), root)
    expect(same_files(models["all-minilm-l6-v2"], by_kubo), "what Kubo gives differs from what was published")
    report.line("`ipfs get` gives the same files", f"[dim]pinned at {node.address}[/]")


def wants_kubo() -> bool:
    """Whether STORE says so. Raises DemoFailed for what it does not know."""
    asked = os.environ.get("STORE", "").lower()
    expect(asked in ("", "folder", "kubo"), f"STORE is folder or kubo, not {asked!r}")
    return asked == "kubo"


def kept() -> bool:
    """Whether the stack is to stay up: KEEP=1 and the like."""
    return os.environ.get("KEEP", "").lower() not in ("", "0", "no", "false", "off")


def keep(stack: Stack, process: "subprocess.Popen[bytes]") -> None:
    """Says how to use the stack and how to end it, and waits until it has ended."""
    console.print(f"The stack stays up until Ctrl-C, or kill {os.getpid()}: {stack.api_url}, node at {stack.rpc_url}")
    console.print(f"  export PROVENANCE_HOME={stack.home}")
    console.print(f"  export PROVENANCE_RPC_URL={stack.rpc_url}")
    console.print(f"  export PROVENANCE_PASSWORD_FILE={stack.home / 'dev' / 'password'}")
    for keystore in sorted((stack.home / "dev").glob("*.json")):
        if keystore.name.removesuffix(".json") in ACCOUNTS:
            console.print(f"  export PROVENANCE_KEYSTORE={keystore}")
    process.wait()


def stop_on_signals() -> None:
    """SIGTERM ends the demo as Ctrl-C does, also where that was inherited as ignored; once."""

    def stop(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def main() -> int:
    """Runs the demo; the exit code."""
    stop_on_signals()
    try:
        with alone(FOLDER, "Another demo"):
            with alone(FOLDER / "run" / "home" / "dev", "A local stack of an earlier demo"):
                pass  # nothing is left of it, so that its folder may go
            return run()
    except FolderInUse as error:
        console.print(f"[red]not started[/]: {escape(error.message)}")
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 0


def run() -> int:
    """Runs the demo in a folder that nothing else uses; the exit code."""
    report = Report()
    try:
        models = get_models(FOLDER / "models")
        report.line("two real models, five folders", f"[dim]{FOLDER / 'models'}[/]")
        shutil.rmtree(FOLDER / "run", ignore_errors=True)
        with ExitStack() as opened:
            node = None
            if wants_kubo():
                node = opened.enter_context(running(FOLDER / "run" / "kubo"))
                report.line("a Kubo node is up", f"[dim]{node.address}[/]")
            stack = Stack(FOLDER / "run" / "home", None if node is None else node.address)
            process = opened.enter_context(stack.running())
            report.line("EVM node, contract, index and service are up", f"[dim]{stack.api_url}[/]")
            demo(stack, models, report)
            if node is not None:
                show_in_kubo(node, models, report)
            console.print(f"[bold green]done[/] in {time.perf_counter() - report.started:.1f} s")
            if kept():
                keep(stack, process)
    except (DemoFailed, AssertionError, SetupError) as failure:
        console.print(f"[red]the demo failed[/]: {escape(str(failure))}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
