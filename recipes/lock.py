"""Writes deploy/locks, every package with its version and the hashes of its files, and deploy/sbom.cdx.json from them.

`make lock` needs the package index; what it writes is committed. pip refuses a file that has another hash.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "deploy" / "locks"
TORCH = "torch==2.13.0"
#: The CPU build of torch is not on the usual index. sha256 of its wheels for CPython 3.11.
CPU = {"x86_64": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"}
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
EXTRAS = ("upscale", "safety", "meaning")
#: What only the CUDA build of torch needs.
GPU = re.compile(r"(torch|triton|nvidia-.*|cuda-.*)$")


def main() -> None:
    LOCKS.mkdir(parents=True, exist_ok=True)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    write("build.txt", compiled(build))
    cuda = compiled([TORCH], "--python-platform", "x86_64-manylinux_2_28")
    write("torch-cuda.txt", {name: entry for name, entry in cuda.items() if GPU.match(name)})
    lines = " \\\n".join(f"    --hash=sha256:{digest}" for digest in CPU.values())
    (LOCKS / "torch-cpu.txt").write_text(f"--index-url {CPU_INDEX}\n{TORCH}+cpu \\\n{lines}\n", encoding="utf-8")
    asked = [f"realbot[{','.join(EXTRAS)}] @ {ROOT.as_uri()}", TORCH]
    own = compiled(asked, "--universal", "--no-emit-package", "realbot")
    write("realbot.txt", {name: entry for name, entry in own.items() if not GPU.match(name)})
    bill()


def compiled(asked: list[str], *options: str) -> dict[str, str]:
    """The entries of a resolved lock by the name of their package."""
    run = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", "-", "--python-version", "3.11", "--generate-hashes",
         "--no-header", "--no-annotate", "-c", str(ROOT / "constraints.txt"), *options],
        input="\n".join(asked), text=True, capture_output=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if run.returncode:
        raise SystemExit(run.stderr)
    entries = re.split(r"^(?=[A-Za-z0-9])", run.stdout, flags=re.M)
    return {entry.partition("==")[0]: entry for entry in entries if "==" in entry}


def write(name: str, entries: dict[str, str]) -> None:
    (LOCKS / name).write_text("".join(entry for _, entry in sorted(entries.items())), encoding="utf-8")
    print(f"deploy/locks/{name}: {len(entries)} packages")


def bill() -> None:
    """The bill of materials in CycloneDX form, the same for the same locks."""
    target = ROOT / "deploy" / "sbom.cdx.json"
    both = "".join((LOCKS / name).read_text(encoding="utf-8") for name in ("realbot.txt", "torch-cuda.txt"))
    run = subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", "requirements", "-", "--pyproject", str(ROOT / "pyproject.toml"),
         "--output-reproducible", "--output-format", "JSON", "--mc-type", "application"],
        input=both, text=True, capture_output=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise SystemExit(run.stderr)
    found = json.loads(run.stdout)
    # The hashes stand in the locks.
    found["components"] = [component(one) for one in found["components"]]
    target.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"deploy/sbom.cdx.json: {len(found['components'])} components")


def component(found: dict[str, Any]) -> dict[str, Any]:
    """What a package is and under which licence, as far as it is installed here."""
    kept = {key: found[key] for key in ("bom-ref", "name", "purl", "type", "version")}
    try:
        about = metadata.metadata(kept["name"])
    except metadata.PackageNotFoundError:
        return kept
    if expression := about.get("License-Expression"):
        return kept | {"licenses": [{"expression": expression}]}
    trove = [one.rpartition(" :: ")[2] for one in about.get_all("Classifier") or () if one.startswith("License ::")]
    names = trove or ([about["License"]] if len(about.get("License") or "x" * 99) < 60 else [])
    return kept | ({"licenses": [{"license": {"name": name}} for name in names]} if names else {})


if __name__ == "__main__":
    main()
