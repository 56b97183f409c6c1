"""Takes a part of the published runs into the repository.

    python oracle/published_fixtures.py METHODS_FOLDER tests/golden/methods

METHODS_FOLDER holds, a folder a method, what the published runners did on tiny checkpoints: `expected.json`,
`vectors.safetensors`, `examples.json`, `images/`, `checkpoint/`. Of each method a few examples are taken, those that
between them show every way in which its blocks end; of three methods the weights too, so that the whole
decode is compared, of the others what prompts and the sequence of forwards need. Numbers are copied, none is made.
"""

import json
import shutil
import struct
import sys
from pathlib import Path

METHODS = ["monet", "skila", "mirage", "ilvr", "laser", "swimbird", "realvr", "colt", "ivtlr"]
# The three loops that differ most: in place, counted over the sequence, image tokens read again.
WHOLE = ["monet", "mirage", "ivtlr"]
FILES = ["config.json", "generation_config.json", "preprocessor_config.json", "chat_template.jinja", "tokenizer.json",
         "tokenizer_config.json"]
STEP = ["read", "token", "norm", "argmax", "margin", "append"]
KEYS = ["id", "images", "question", "label", "prompt_ids", "image_grid_thw", "generated_ids", "passes", "latent_forwards", "n_forwards"]
COUNT = 4


def ends(example):
    """The ways in which blocks of an example end, and how its runs do."""
    found = set()
    for name, run in example.get("runs", {}).items():
        found.add((name, run["finish"]))
        found |= {(name, block["end"], block["n"] == 0) for block in run["blocks"]}
    found.add(("images", len(example["images"])))
    return found


def chosen(examples):
    """Few examples that show most."""
    left, taken = list(examples), []
    seen = set()
    while left and len(taken) < COUNT:
        best = max(left, key=lambda e: (len(ends(e) - seen), -e["id"]))
        taken.append(best)
        left.remove(best)
        seen |= ends(best)
    return sorted(taken, key=lambda e: e["id"])


def trimmed(example):
    kept = {key: example[key] for key in KEYS if key in example}
    if "runs" in example:
        kept["runs"] = {
            name: {
                "generated_ids": run["generated_ids"],
                "finish": run["finish"],
                "blocks": run["blocks"],
                "steps": [{key: step[key] for key in STEP if key in step} for step in run["steps"]],
            }
            for name, run in example["runs"].items()
        }
    return kept


def tensors(source, target, names):
    """Copies the named tensors of a safetensors file into another."""
    data = source.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    new, out = {}, b""
    for name in sorted(names & header.keys()):
        start, end = header[name]["data_offsets"]
        new[name] = {**header[name], "data_offsets": [len(out), len(out) + end - start]}
        out += body[start:end]
    text = json.dumps(new, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(struct.pack("<Q", len(text)) + text + out)


def take(folder, target, method):
    expected = json.loads((folder / "expected.json").read_text())
    examples = chosen(expected["examples"])
    (target / "checkpoint").mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in expected.items() if key != "examples"}
    kept["examples"] = [trimmed(example) for example in examples]
    (target / "expected.json").write_text(json.dumps(kept, separators=(",", ":")) + "\n")
    for name in FILES:
        shutil.copyfile(folder / "checkpoint" / name, target / "checkpoint" / name)
    if method in WHOLE:
        shutil.copyfile(folder / "checkpoint" / "model.safetensors", target / "checkpoint" / "model.safetensors")
        (target / "images").mkdir(exist_ok=True)
        for example in examples:
            for image in example["images"]:
                shutil.copyfile(folder / image, target / image)
        ids = [example["id"] for example in examples]
        names = {form.format(i) for i in ids for form in ("greedy.{}.fed", "{}.fed", "{}.latents")}
        tensors(folder / "vectors.safetensors", target / "vectors.safetensors", names)
    print(f"{method}: examples {[example['id'] for example in examples]}")


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    for method in METHODS:
        take(source / method, target / method, method)
