"""Runs `prism trace` as the published runs were made, and says which come out equal.

    python oracle/published_runs.py PRISM METHODS_FOLDER [METHOD ...]

PRISM is the program, METHODS_FOLDER the folder of `oracle/published_fixtures.py`. Compared are prompt and generated
ids, what every forward read and its norm (within 2e-4), the runs of latents with what ended them, and the vectors
fed (distance over norm). Needs nothing but Python.
"""

import json
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

# What is asked beside `--protocol METHOD`. The two tiny checkpoints were made under other settings than are published.
OF_METHOD = {
    "swimbird": ["--min-pixels", "3136", "--max-pixels", "28224"],
    "ivtlr": ["--set", "blocks.0.insert=8", "--set", "pixels.side=140"],
}
OF_RUN = {
    "greedy": ["--generation", "plain"],
    "greedy_rp": ["--repetition-penalty", "1.05"],
    "latent_size4": ["--generation", "plain", "--steps", "4"],
    "steps4": ["--generation", "plain", "--exit", "steps", "--steps", "4"],
    "repetition_exit": ["--generation", "plain", "--set", "repetition=3"],
    "forced_steps4": ["--generation", "plain", "--force-open", "--steps", "4"],
}
METHODS = ["monet", "skila", "mirage", "ilvr", "laser", "swimbird", "realvr", "colt", "ivtlr"]


def tensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    found = {}
    for name, about in header.items():
        if name != "__metadata__":
            start, end = about["data_offsets"]
            kind, width = {"F32": ("f", 4), "I64": ("q", 8)}.get(about["dtype"], (None, 1))
            if kind:
                found[name] = (about["shape"], struct.unpack(f"<{(end - start) // width}{kind}", body[start:end]))
    return found


def fed_of(vectors, row):
    """The vectors that were fed in one row, step by step."""
    fed, step = [], 0
    while f"fed.target.{step}" in vectors:
        (_, width), values = vectors[f"fed.target.{step}"]
        rows = vectors[f"fed.target.{step}_rows"][1]
        if row in rows:
            at = rows.index(row)
            fed.append(values[at * width : (at + 1) * width])
        step += 1
    return fed


def farthest(fed, shape, values):
    width = shape[1]
    worst = 0.0
    for i, vector in enumerate(fed):
        wanted = values[i * width : (i + 1) * width]
        worst = max(worst, math.dist(vector, wanted) / math.hypot(*wanted))
    return worst if len(fed) == shape[0] else math.inf


def difference(found, value, wanted):
    for key, mine, theirs in [
        ("prompt_ids", found["prompt_ids"], value["prompt_ids"]),
        ("generated_ids", found["generated_ids"], wanted["generated_ids"]),
    ]:
        if mine != theirs:
            return key
    if "steps" in wanted:
        if len(found["steps"]) != len(wanted["steps"]):
            return "number of forwards"
        for i, (mine, theirs) in enumerate(zip(found["steps"], wanted["steps"])):
            if mine["read"] != theirs["read"] or mine["token"] != theirs.get("token"):
                return f"forward {i}"
            if "norm" in theirs and abs(mine["norm"] - theirs["norm"]) > 2e-4:
                return f"norm of forward {i}"
        runs = [{key: block[key] for key in ("first", "n", "end")} for block in wanted["blocks"]]
        if found["blocks"] != runs:
            return "blocks"
    return None


def run(prism, folder, method, name, expected, vectors):
    rows = [example["id"] for example in expected["examples"]]
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "vectors.safetensors"
        command = [prism, "trace", "--checkpoint", folder / "checkpoint", "--protocol", method]
        command += ["--examples", folder / "examples.json", "--rows", ",".join(map(str, rows)), "--json", "--vectors", written]
        command += ["--max-new-tokens", str(expected["max_new_tokens"]), *OF_METHOD.get(method, []), *OF_RUN[name]]
        if (method, name) == ("monet", "greedy_rp"):
            command[command.index("1.05")] = "1.01"
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        if len(lines) != len(rows):
            sys.exit(f"{method} {name}: {done.stderr}")
        mine = tensors(written)
    equal, different, worst, compared = 0, [], 0.0, 0
    for found, value in zip(lines, expected["examples"]):
        wanted = value["runs"][name] if "runs" in value else value
        what = difference(found, value, wanted)
        named = [f"{name}.{value['id']}.fed", f"{value['id']}.fed", f"{value['id']}.latents"]
        reference = next((vectors[n] for n in named if n in vectors), None)
        if reference and what is None:
            fed = fed_of(mine, value["id"])
            distance = farthest(fed, *reference)
            worst, compared = max(worst, distance), compared + len(fed)
            what = None if distance < 1e-4 else "vectors fed"
        equal += what is None
        if what:
            different.append(f"{value['id']} ({what})")
    print(f"{method:<9} {name:<16} {equal:>3} equal, {len(different):>3} different {', '.join(different)}"
          f"   {compared} vectors within {worst:.1e}")
    return equal, len(different)


if __name__ == "__main__":
    prism, folder, *only = sys.argv[1:]
    total = [0, 0]
    for method in only or METHODS:
        here = Path(folder) / method
        expected = json.loads((here / "expected.json").read_text())
        vectors = tensors(here / "vectors.safetensors")
        first = expected["examples"][0]
        for name in first.get("runs", {"greedy": None}):
            counted = run(prism, here, method, name, expected, vectors)
            total = [a + b for a, b in zip(total, counted)]
    print(f"{total[0]} equal, {total[1]} different")
