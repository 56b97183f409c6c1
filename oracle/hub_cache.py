"""Where huggingface_hub looks for its cache, and which snapshot a name stands for.

Writes crates/prism-model/tests/fixtures/hub_cache.json: the cache's folder under
several environments, and the outcome of `snapshot_download(local_files_only=True)`
on a cache that this script lays out as the test does.

Versions: huggingface_hub is written into the output.
    python oracle/hub_cache.py
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import huggingface_hub
from huggingface_hub import snapshot_download

OUT = Path(__file__).parent.parent / "crates/prism-model/tests/fixtures/hub_cache.json"
ENVIRONMENTS = [
    {},
    {"XDG_CACHE_HOME": "/x/cache"},
    {"HF_HOME": "/x/hf"},
    {"HF_HOME": "~/hf", "XDG_CACHE_HOME": "/x/cache"},
    {"HF_HUB_CACHE": "/x/hub", "HF_HOME": "/x/hf"},
    {"HUGGINGFACE_HUB_CACHE": "/x/old"},
    {"HUGGINGFACE_HUB_CACHE": "/x/old", "HF_HUB_CACHE": "~/new"},
    {"HUGGINGFACE_HUB_CACHE": "/x/old", "HF_HOME": "/x/hf"},
]
COMMIT = ["%040x" % n for n in (1, 2, 3)]
# File of the cache -> its text; a snapshot is there when a file of it is.
LAYOUT = {
    "models--org--whole/refs/main": COMMIT[0],
    "models--org--whole/refs/old": COMMIT[1],
    "models--org--whole/refs/refs/pr/1": COMMIT[1],
    f"models--org--whole/snapshots/{COMMIT[0]}/config.json": "{}",
    f"models--org--whole/snapshots/{COMMIT[1]}/config.json": "{}",
    "models--org--cut/refs/main": COMMIT[2],
    f"models--org--tagged/snapshots/{COMMIT[0]}/config.json": "{}",
    "models--org--tagged/refs/v1": COMMIT[0],
}
ASKED = [
    "org/whole",
    "org/whole@old",
    "org/whole@refs/pr/1",
    f"org/whole@{COMMIT[1]}",
    "org/whole@absent",
    "org/cut",
    "org/tagged",
    "org/tagged@v1",
    f"org/tagged@{COMMIT[0]}",
    "org/absent",
]


def cache_of(environment):
    code = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    clean = {"HOME": "/home/someone", "PATH": os.environ["PATH"], **environment}
    return subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True).stdout.strip()


def snapshot_of(asked, cache):
    repository, _, revision = asked.partition("@")
    try:
        path = snapshot_download(repository, revision=revision or None, cache_dir=cache, local_files_only=True)
        return str(Path(path).relative_to(cache))
    except Exception:
        return None


with tempfile.TemporaryDirectory() as cache:
    for name, text in LAYOUT.items():
        path = Path(cache, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    snapshots = [{"asked": asked, "found": snapshot_of(asked, cache)} for asked in ASKED]
caches = [{"environment": {"HOME": "/home/someone", **e}, "cache": cache_of(e)} for e in ENVIRONMENTS]
result = {"huggingface_hub": huggingface_hub.__version__, "caches": caches, "layout": LAYOUT, "snapshots": snapshots}
OUT.write_text(json.dumps(result, indent=1) + "\n")
