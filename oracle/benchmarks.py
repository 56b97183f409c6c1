"""Benchmarks in their published layouts, made small, and what must be read from them.

Run:  python oracle/benchmarks.py   (pyarrow 26.0.1, pandas 3.1.1, Pillow 13.0.0)
Writes crates/prism-data/tests/fixtures/benchmarks/: V*Bench, MMVP, BLINK and JSON lines
with the real column names and types, `broken/` with one defect a file, and
`expected.json`, the questions as pandas reads them and as the evaluation harness
writes their prompts. Also oracle/expected/accuracy.json: accuracy by category and by
pair, computed with pandas.
"""

import csv
import gzip
import hashlib
import io
import json
import pathlib
import random
import shutil
import string
import tomllib

import pandas as pd
import PIL
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "crates/prism-data/tests/fixtures/benchmarks"
INSTRUCTION = "\nAnswer with the option's letter from the given choices directly."
IMAGES = ["image_1", "image_2", "image_3", "image_4"]
VERSIONS = {"pyarrow": pa.__version__, "pandas": pd.__version__, "pillow": PIL.__version__}


def picture(seed, kind="JPEG", size=(16, 12)):
    """A flat picture of its own colour."""
    image = Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, seed * 13 % 256))
    file = io.BytesIO()
    image.save(file, kind, **({"quality": 50} if kind == "JPEG" else {}))
    return file.getvalue()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def digest(content):
    return hashlib.sha256(content).hexdigest()


def vstar():
    rows = [
        ("direct_attributes", "sa_4690", "What is the material of the glove?", ["rubber", "cotton", "kevlar", "leather"], "A", [[3, 2, 5, 4]]),
        ("direct_attributes", "sa_7", "What is the color of the dog's collar?", ["red", "blue", "black", "white"], "C", [[0, 0, 16, 12]]),
        ("direct_attributes", "sa_81", "What is the color of the umbrella?", ["pink", "green", "grey", "yellow"], "B", [[10, 6, 6, 6]]),
        ("relative_position", "sa_9", "Is the broom on the left or right side of the folding chair?", ["left", "right"], "B", [[1, 1, 4, 4], [8, 2, 4, 8]]),
        ("relative_position", "sa_10", "Is the dog on the left or right side of the bicycle?", ["right", "left"], "A", [[2, 2, 2, 2], [9, 9, 3, 3]]),
    ]
    folder, lines = FIXTURES / "vstar", []
    for number, (category, stem, question, options, label, boxes) in enumerate(rows):
        text = question + "".join(f"\n({letter}) {option}" for letter, option in zip(string.ascii_uppercase, options)) + INSTRUCTION
        line = {"image": f"{category}/{stem}.jpg", "text": text, "category": category, "label": label, "question_id": number}
        lines.append(json.dumps(line))
        put(folder / category / f"{stem}.jpg", picture(number))
        note = {"target_object": ["x"] * len(boxes), "bbox": boxes, "question": question, "options": options}
        put(folder / category / f"{stem}.json", json.dumps(note))
    put(folder / "test_questions.jsonl", "\n".join(lines) + "\n")
    frame = pd.read_json(folder / "test_questions.jsonl", lines=True)
    return [
        {
            "id": str(row.question_id),
            "prompt": row.text,
            "options": rows[n][3],
            "label": row.label,
            "category": row.category,
            "pair": None,
            "images": [digest((folder / row.image).read_bytes())],
            "boxes": [[x / 16, y / 12, (x + w) / 16, (y + h) / 12] for x, y, w, h in rows[n][5]],
        }
        for n, row in enumerate(frame.itertuples())
    ]


def mmvp():
    rows = [
        ("Are the butterfly's wings closer to being open or closed?", "(a) Open (b) Closed", "(a)"),
        ("Are the butterfly's wings closer to being open or closed?", "(a) Open (b) Closed", "(b)"),
        ("In this scene, is the dog facing left, or right?", "(a) Left (b) Right", "(b)"),
        ("In this scene, is the dog facing left, or right?", "(a) Left (b) Right", "(a)"),
        ('Does the sign say "stop"?', "(a) Yes (b) No", "(a)"),
        ('Does the sign say "stop"?', "(a) Yes (b) No", "(b)"),
    ]
    folder, file = FIXTURES / "mmvp", io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["Index", "Question", "Options", "Correct Answer"])
    for number, row in enumerate(rows, 1):
        writer.writerow([number, *row])
        put(folder / "MMVP Images" / f"{number}.jpg", picture(20 + number))
    put(folder / "Questions.csv", file.getvalue())
    expected = []
    for row in pd.read_csv(folder / "Questions.csv").to_dict("records"):
        query = (row["Question"] + "\nOptions:\n" + row["Options"]).replace("(a)", "A.").replace("(b)", "B.")
        options = [part.strip() for part in row["Options"].replace("(a)", "").split("(b)")]
        expected.append(
            {
                "id": str(row["Index"]),
                "prompt": query + INSTRUCTION,
                "options": options,
                "label": row["Correct Answer"].strip().upper()[1],
                "category": None,
                "pair": str((row["Index"] + 1) // 2),
                "images": [digest((folder / "MMVP Images" / f"{row['Index']}.jpg").read_bytes())],
                "boxes": [],
            }
        )
    return expected


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
BLINK = pa.schema(
    [("idx", pa.string()), ("question", pa.string()), ("sub_task", pa.string())]
    + [(name, IMAGE) for name in IMAGES]
    + [("choices", pa.list_(pa.string())), ("answer", pa.string()), ("prompt", pa.string())]
)
HUGGINGFACE = {"huggingface": json.dumps({"info": {"features": {"image_1": {"_type": "Image"}}}})}


def row(task, number, images=1, answer="(B)", choices=("0", "3", "2", "1"), split="val", **edit):
    """A row as published."""
    embedded = [{"bytes": picture(number * 5 + k, "PNG" if k % 2 else "JPEG"), "path": None} for k in range(images)]
    question = f"How many blue floats are there ({task} {number})?"
    listed = "\n".join(f"({letter}) {choice}" for letter, choice in zip("ABCD", choices))
    made = {"idx": f"{split}_{task}_{number}", "question": question, "sub_task": task, "choices": list(choices), "answer": answer}
    made |= {name: embedded[k] if k < images else None for k, name in enumerate(IMAGES)}
    made["prompt"] = f"{question}\nSelect from the following choices.\n{listed}"
    return made | edit


def write(path, rows, schema=BLINK, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, schema=schema).replace_schema_metadata(HUGGINGFACE)
    pq.write_table(table, path, **({"compression": "snappy"} | options))


def blink():
    folder = FIXTURES / "blink"
    tasks = {
        "Counting": [row("Counting", 1), row("Counting", 2, answer="(D)"), row("Counting", 3, answer="(A)")],
        "IQ_Test": [row("IQ_Test", 1, choices=["A", "B", "C", "D"], answer="(C)"), row("IQ_Test", 2)],
        "Jigsaw": [row("Jigsaw", n, 3, choices=["the second image", "the third image"], answer=f"({'AB'[n % 2]})") for n in (1, 2)],
        "Relative_Reflectance": [row("Relative_Reflectance", 1, choices=["A is darker", "B is darker", "About the same"], answer="(C)")],
        "Spatial_Relation": [row("Spatial_Relation", n, choices=["yes", "no"], answer="(A)") for n in (1, 2)],
        "Art_Style": [row("Art_Style", 1, 4, choices=["the second image", "the third image"], answer="(B)")],
    }
    for task, rows in tasks.items():
        write(folder / task / "val-00000-of-00001.parquet", rows)
    write(folder / "Counting" / "test-00000-of-00001.parquet", [row("Counting", 1, split="test", answer="hidden")])
    expected = []
    for task in ["Counting", "IQ_Test", "Jigsaw", "Relative_Reflectance", "Spatial_Relation"]:
        for item in pd.read_parquet(folder / task / "val-00000-of-00001.parquet").to_dict("records"):
            options = "".join(f"{letter}. {choice}\n" for letter, choice in zip(string.ascii_uppercase, item["choices"]))
            expected.append(
                {
                    "id": item["idx"],
                    "prompt": item["question"] + "\nOptions:\n" + options + INSTRUCTION,
                    "options": list(item["choices"]),
                    "label": item["answer"][1],
                    "category": task,
                    "pair": None,
                    "images": [digest(item[name]["bytes"]) for name in IMAGES if item[name] is not None],
                    "boxes": [],
                }
            )
    # The same questions in the types pandas and polars write, and two images outside the file.
    wide = pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())])
    large = pa.schema(
        [("idx", pa.int64()), ("question", pa.large_string()), ("choices", pa.large_list(pa.large_string()))]
        + [("answer", pa.dictionary(pa.int32(), pa.string())), ("image_1", wide), ("image_2", wide), ("image_3", pa.null())]
    )
    outside = {"bytes": None, "path": "outside.png"}
    put(FIXTURES / "other" / "outside.png", picture(200, "PNG"))
    rows = [row("Counting", n, idx=n, image_1=outside, image_2=outside if n == 2 else None) for n in (1, 2)]
    write(FIXTURES / "other" / "large.parquet", [{name: r.get(name) for name in large.names} for r in rows], large, compression="zstd")
    return expected


def jsonl():
    rows = [
        {"id": "q1", "image": "a.png", "question": "Which color?", "options": ["red", "blue"], "label": "B", "category": "color", "pair": 1},
        {"id": 2, "images": ["a.png", "b.jpg"], "question": "Same?", "options": ["yes", "no", "unclear"], "label": "A", "bboxes": [[0.1, 0.2, 0.5, 0.6]], "pair": 1},
    ]
    folder = FIXTURES / "jsonl"
    put(folder / "a.png", picture(201, "PNG"))
    put(folder / "b.jpg", picture(202))
    put(folder / "test.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    expected = []
    for r in rows:
        options = "".join(f"{letter}. {option}\n" for letter, option in zip(string.ascii_uppercase, r["options"]))
        names = r.get("images") or [r["image"]]
        made = {"id": str(r["id"]), "prompt": r["question"] + "\nOptions:\n" + options + INSTRUCTION, "options": r["options"], "label": r["label"]}
        made |= {"category": r.get("category"), "pair": str(r["pair"]), "images": [digest((folder / n).read_bytes()) for n in names]}
        expected.append(made | {"boxes": r.get("bboxes", [])})
    return expected


def broken():
    """One defect a file: the second of two rows, or the file as a whole."""
    folder = FIXTURES / "broken"
    small = pa.schema([BLINK.field(name) for name in ["idx", "question", "image_1", "image_2", "image_3", "choices", "answer"]])
    tiny = {"bytes": picture(1, "PNG", (2, 2)), "path": None}
    good = row("Counting", 1, image_1=tiny)

    def put_file(name, rows, schema=small, **options):
        write(folder / f"{name}.parquet", rows, schema, use_dictionary=False, write_statistics=False, **options)

    def second(name, images=1, **edit):
        images = {image: tiny for image in IMAGES[:images]}
        put_file(name, [good, row("Counting", 2, 0, **(images | edit))])

    second("null_idx", idx=None)
    second("same_idx", idx=good["idx"])
    second("null_question", question=None)
    second("empty_question", question=" ")
    put_file("null_choices", [good, row("Counting", 2) | {"choices": None}])
    second("one_choice", choices=["3"], answer="(A)")
    second("empty_choice", choices=["3", ""], answer="(A)")
    second("null_answer", answer=None)
    second("hidden_answer", answer="hidden")
    second("word_answer", answer="three")
    second("answer_beyond", choices=["1", "2"], answer="(D)")
    second("no_image", images=0)
    second("image_gap", images=3, image_2=None)
    second("not_an_image", image_1={"bytes": b"GIF89a and so on", "path": "x.gif"})
    second("image_outside", image_1={"bytes": None, "path": "../up.png"})
    second("image_missing", image_1={"bytes": None, "path": "nowhere.png"})
    second("cut_image", image_1={"bytes": picture(3, "PNG", (64, 64))[:60], "path": None})
    for name in ["question", "choices", "answer", "image_1", "idx"]:
        index = small.get_field_index(name)
        put_file(f"without_{name}", [{k: v for k, v in good.items() if k != name}], small.remove(index))
    choices = small.get_field_index("choices")
    put_file("choices_as_text", [good | {"choices": "0, 3"}], small.set(choices, pa.field("choices", pa.string())))
    image = small.get_field_index("image_1")
    put_file("image_as_bytes", [good | {"image_1": b"x"}], small.set(image, pa.field("image_1", pa.binary())))
    answer = small.get_field_index("answer")
    put_file("answer_as_number", [good | {"answer": 1}], small.set(answer, pa.field("answer", pa.int64())))
    put_file("no_rows", [])
    put_file("brotli", [good], compression="brotli")
    put_file("gzip", [good], compression="gzip")
    (FIXTURES / "broken/whole_gzip.parquet").write_bytes(gzip.compress((FIXTURES / "broken/no_rows.parquet").read_bytes(), mtime=0))


def releases():
    """BLINK's Relative_Reflectance with the labels before their correction, with others, with some of each, and too few to tell."""
    known = tomllib.loads((ROOT / "benchmarks/blink.toml").read_text())["earlier"]["labels"]
    other = {"A": "B", "B": "C", "C": "A"}
    choices = ["A is darker", "B is darker", "About the same"]
    for name, count, corrected in [("earlier", 12, 0), ("later", 12, 11), ("mixed", 12, 2), ("few", 9, 0)]:
        rows = []
        for number in range(1, count + 1):
            label = known[f"val_Relative_Reflectance_{number}"]
            label = other[label] if number <= corrected else label
            rows.append(row("Relative_Reflectance", number, choices=choices, answer=f"({label})"))
        write(FIXTURES / f"releases/{name}/Relative_Reflectance/val-00000-of-00001.parquet", rows)


def loose():
    """JSON as Python and pandas write it: NaN, ids of a column with a gap, one list; what pandas reads of it."""
    folder = FIXTURES / "loose"
    put(folder / "a.png", picture(9, "PNG"))
    base = {"image": "a.png", "question": "Which?", "options": ["x", "y"], "label": "B"}
    rows = [base | {"id": number, "category": category} for number, category in [(1.0, "left"), (2.0, float("nan")), (3.5, "right")]]
    put(folder / "nan.jsonl", "".join(json.dumps(row | {"score": float("-inf"), "note": 'a "NaN" \\'}) + "\n" for row in rows))
    put(folder / "list.jsonl", json.dumps(rows, indent=1) + "\n")
    put(folder / "pandas.jsonl", pd.DataFrame(rows).to_json(orient="records", lines=True))
    put(folder / "large.jsonl", json.dumps(base | {"id": 2**63}) + "\n")
    put(folder / "boxes.jsonl", json.dumps(base | {"id": 1, "bboxes": [[0.1, 0.1, float("nan"), 0.5]]}) + "\n")
    put(folder / "texts.jsonl", json.dumps(["a", "b"]) + "\n")
    put(folder / "cut.jsonl", json.dumps(rows)[:-4])
    frame = pd.DataFrame(rows)
    ids = [str(int(value)) if float(value).is_integer() else str(value) for value in frame["id"]]
    return {"ids": ids, "categories": [None if pd.isna(value) else value for value in frame["category"]]}


def accuracy():
    """Accuracy by category and by pair of 60 made-up answers, some of which failed."""
    draw = random.Random(7)
    items = []
    for number in range(60):
        correct = draw.choice([True, True, False, None] if number % 9 == 0 else [True, True, False])
        items.append({"category": draw.choice(["left", "right", None]), "pair": str(number // 2) if number < 44 else None, "correct": correct})
    items.append({"category": "right", "pair": "lonely", "correct": True})
    frame = pd.DataFrame(items).astype({"correct": "boolean"})
    ran = frame.dropna(subset="correct")
    by_pair = frame.dropna(subset="pair").groupby("pair")["correct"].agg(size="size", ran="count", right="sum")
    whole = by_pair[(by_pair["size"] == by_pair["ran"]) & (by_pair["size"] > 1)]
    return {
        "versions": VERSIONS,
        "items": items,
        "overall": {"correct": int(ran["correct"].sum()), "total": len(ran), "accuracy": float(ran["correct"].mean())},
        "by_category": {
            name: {"correct": int(group.sum()), "total": len(group), "accuracy": float(group.mean())}
            for name, group in ran.dropna(subset="category").groupby("category")["correct"]
        },
        "pairs": {
            "correct": int((whole["right"] == whole["size"]).sum()),
            "total": len(whole),
            "accuracy": float((whole["right"] == whole["size"]).mean()),
            "incomplete": len(by_pair) - len(whole),
        },
    }


if __name__ == "__main__":
    shutil.rmtree(FIXTURES, ignore_errors=True)
    expected = {"versions": VERSIONS, "vstar": vstar(), "mmvp": mmvp(), "blink": blink(), "jsonl": jsonl(), "loose": loose()}
    broken()
    releases()
    put(FIXTURES / "expected.json", json.dumps(expected, indent=1) + "\n")
    put(ROOT / "oracle/expected/accuracy.json", json.dumps(accuracy(), indent=1) + "\n")
    print(sum(path.stat().st_size for path in FIXTURES.rglob("*") if path.is_file()), "bytes of fixtures")
