"""Why a model answers a world's questions better than their counterfactual partners, or does not: accuracy by how many
objects of the picture show the right value, and what the wrong answers say.

    prism world --config world.toml --out w
    prism eval --checkpoint assets/base-tiny --benchmark w/test_paired.jsonl --out e
    python oracle/partners.py w e

Objects are found again in the pictures: by colour, then by the silhouette that is nearest among those of the objects
asked about. Python 3.11, numpy 2.4.6, pandas 3.1.1, scipy 1.17.1, pillow 12.0.0.
"""

import collections
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

# crates/prism-data/src/world/object.rs
COLOURS = {
    "red": [212, 38, 42], "orange": [245, 130, 32], "yellow": [240, 208, 40], "green": [36, 156, 70],
    "blue": [36, 96, 214], "purple": [124, 44, 168], "pink": [244, 132, 196], "black": [38, 38, 44],
}


def objects(path):
    """Colour, box and silhouette (16 x 16) of every object."""
    picture = np.asarray(Image.open(path).convert("RGB")).astype(float)
    distance = np.sqrt(((picture[:, :, None, :] - np.array(list(COLOURS.values()))) ** 2).sum(-1))
    found = []
    for index, colour in enumerate(COLOURS):
        mask = (distance.argmin(-1) == index) & (distance.min(-1) < 45)
        labels, count = ndimage.label(mask)
        for number in range(1, count + 1):
            rows, columns = np.where(labels == number)
            if len(rows) < 60:
                continue
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            cut = (labels[box[1]:box[3], box[0]:box[2]] == number).astype(float)
            found.append((colour, box, ndimage.zoom(cut, (16 / cut.shape[0], 16 / cut.shape[1]), order=1)))
    return found


def main():
    world, run = Path(sys.argv[1]), Path(sys.argv[2])
    answers = pd.read_parquet(run / "records" / "answers.parquet")
    answers = answers[answers.intervention == "clean"].set_index("id")
    questions = [json.loads(line) for line in open(world / "test_paired.jsonl")]
    seen = {q["id"]: objects(world / q["image"]) for q in questions}
    shapes = collections.defaultdict(list)
    for q in questions:
        if "shape of" in q["question"]:
            box = np.array(q["bboxes"][0]) * Image.open(world / q["image"]).width
            right = q["options"][ord(q["label"]) - 65]
            shapes[right] += [cut for _, b, cut in seen[q["id"]] if np.abs(np.array(b) - box).max() < 2]
    shapes = {name: np.mean(cuts, 0) for name, cuts in shapes.items()}

    def shape(cut):
        return min(shapes, key=lambda name: ((shapes[name] - cut) ** 2).mean())

    rows = []
    for q in questions:
        kind = "color" if "color of" in q["question"] else "shape" if "shape of" in q["question"] else "position"
        right = q["options"][ord(q["label"]) - 65]
        letter = answers.loc[q["id"], "answer"]
        said = q["options"][ord(letter) - 65] if isinstance(letter, str) else None
        shown = collections.Counter(c if kind == "color" else shape(cut) for c, _, cut in seen[q["id"]])
        rows.append({
            "kind": kind, "of": "partner" if q["id"].endswith("-cf") else "original", "right": said == right,
            "shown": min(shown[right], 4) if kind != "position" else None,
            "said is shown by": min(shown[said], 2) if kind != "position" and said else None,
        })
    table = pd.DataFrame(rows)
    print("accuracy, %, and questions\n")
    print((table.groupby(["kind", "of"]).right.agg(["mean", "size"]) * [100, 1]).round(1).to_string())
    print("\nby how many objects of the picture show the right value\n")
    print((table.groupby(["kind", "of", "shown"]).right.agg(["mean", "size"]) * [100, 1]).round(1).to_string())
    print("\nwrong answers, by how many objects show what they say\n")
    print(table[~table.right].groupby(["kind", "of", "said is shown by"]).size().to_string())


main()
