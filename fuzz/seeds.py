"""The good files that fuzzing starts from: python fuzz/seeds.py [READER...] (Pillow, pyarrow, safetensors).

Writes into fuzz/corpus/READER, beside what fuzzing itself kept there; of the readers named, or of all.
"""

import io
import json
import sys
from pathlib import Path

import numpy
import pyarrow
import pyarrow.parquet
from PIL import Image
from safetensors.numpy import save

ROOT = Path(__file__).resolve().parent.parent


def write(reader, name, content):
    if len(sys.argv) > 1 and reader not in sys.argv[1:]:
        return
    folder = ROOT / "fuzz/corpus" / reader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(content if isinstance(content, bytes) else content.encode())


def encoded(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def images():
    values = numpy.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=numpy.uint8)
    rgb = Image.fromarray(values)
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"):
        image = Image.fromarray(values[..., 0].astype(numpy.uint16) * 257) if mode == "I;16" else rgb.convert(mode)
        write("image", f"{mode.replace(';', '')}.png", encoded(image, "PNG"))
    for mode in ("RGB", "L", "CMYK"):
        for progressive in (False, True):
            write("image", f"{mode}{'-progressive' * progressive}.jpg", encoded(rgb.convert(mode), "JPEG", progressive=progressive))
    return encoded(rgb, "PNG")


def tokenizers():
    base = ROOT / "assets/base-tiny"
    # In the order of `TOKENIZER` in fed.rs; the last is the other form.
    files = ["vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "tokenizer.json"]
    for place, name in enumerate(files):
        content = (base / name).read_bytes()
        if name == "tokenizer.json":
            # A vocabulary of bytes alone, so that the fuzzer has a small file to work on.
            whole = json.loads(content)
            whole["model"]["merges"] = []
            whole["model"]["vocab"] = {token: id for token, id in whole["model"]["vocab"].items() if len(token) == 1}
            whole["added_tokens"] = []
            content = json.dumps(whole, separators=(",", ":")).encode()
        write("tokenizer", name, bytes([place]) + content)


def runs():
    """What is done to a run folder (run/damage.rs): a kind, a place of two bytes, and what that kind takes."""
    write("run", "honest", b"")
    pair = lambda number: bytes([number >> 8 & 255, number & 255])
    piece = lambda content: pair(len(content)) + content
    for place in (1, 7, 20, 33):
        write("run", f"replaced-{place}", b"\x00" + pair(place) + piece(b"PAR1 nonsense"))
        write("run", f"cut-{place}", b"\x01" + pair(place) + pair(4000))
        write("run", f"flipped-{place}", b"\x02" + pair(place) + b"\x07" + b"".join(pair(97 * i) + bytes([i]) for i in range(8)))
        write("run", f"special-{place}", b"\x04" + pair(place) + bytes([place % 5]))
    write("run", "removed", b"\x03" + pair(20))
    write("run", "exchanged", b"\x05" + pair(5) + pair(9))
    write("run", "manifest", b"\x06" + pair(0) + pair(12) + b"\x01" + pair(3) + b"\x00" + piece(b'{"a": [1e300, "\xe2\x80\xae"]}'))
    for place in (2, 12, 14):
        write("run", f"retyped-{place}", b"\x07" + pair(place) + pair(3) + b"\x02" + piece(b"text"))
        write("run", f"lacking-{place}", b"\x08" + pair(place) + pair(1))
        write("run", f"long-{place}", b"\x09" + pair(place) + pair(0) + pair(4000))
        write("run", f"cell-{place}", b"\x0a" + pair(place) + pair(1) + pair(0) + b"\x01" + b"\x7f" + b"\xff" * 7)
        write("run", f"said-{place}", b"\x0b" + pair(place) + pair(1) + piece(b"\x1b[2J</script>\xe2\x80\xae"))


def main():
    tokenizers()
    runs()
    for path in (ROOT / "protocols").glob("*.toml"):
        write("protocol", path.stem, path.read_bytes())
    for path in (ROOT / "recipes").glob("*.toml"):
        write("recipe", path.stem, path.read_bytes())
    write("recipe", "world", "seed = 1\nimage_side = 112\nobjects = 4\nsize_min = 18\nsize_max = 28\ntrain_images = 2\ntrain_questions = 2\ntest_questions = 12\n")
    picture = images()
    arrays = {"a.weight": numpy.zeros((2, 3), numpy.float32), "b": numpy.ones(4, numpy.float16), "c": numpy.zeros((0, 2), numpy.float32)}
    write("safetensors", "three", save(arrays, {"format": "pt"}))
    write("safetensors", "none", save({}))
    write("index", "two", json.dumps({"metadata": {"total_size": 4}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}))
    write("index", "absent", json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "../x.safetensors"}}))
    for name in ("config", "preprocessor_config", "generation_config"):
        write("config", name, (ROOT / f"assets/base-tiny/{name}.json").read_bytes())
    for family in ("qwen2_vl", "qwen3_vl"):
        write("config", family, (ROOT / f"crates/prism-model/tests/fixtures/families/{family}/plain/config.json").read_bytes())
    row = {"id": "q0", "image": "a.png", "question": "What is it?", "options": ["a", "b"], "label": "A", "bboxes": [[0.1, 0.1, 0.9, 0.9]]}
    write("jsonl", "rows", "\n".join(json.dumps({**row, "id": f"q{i}", "category": "c", "pair": "p"}) for i in range(3)))
    vstar = {"image": "a.png", "text": "What?\n(A) a\n(B) b\nAnswer with the letter.", "category": "direct_attributes", "label": "A", "question_id": 0}
    write("jsonl", "vstar", json.dumps(vstar))
    turns = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "<lvr>\n<answer> a </answer>"}]
    record = {"dataset": "d", "split": "train", "question_id": 1, "image": ["a.png"], "conversations": turns, "bboxes": [[0.1, 0.2, 0.3, 0.4]]}
    write("jsonl", "training", json.dumps([record]))
    write("jsonl", "meta", json.dumps([{"ds_name": "d", "data_path": "data.json", "image_folder": "."}]))
    write("csv", "pair", "Index,Question,Options,Correct Answer\n1,Is it open?,(a) Open (b) Closed,(a)\n2,Is it open?,(a) Open (b) Closed,(b)\n")
    write("csv", "quotes", 'Index,Question,Options,Correct Answer\n1,"Is it ""open"", or not?","(a) Open (b) Closed",(c)\n3,,,\n"')
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    texts = ["idx", "question", "sub_task", "prompt", "answer"]
    schema = pyarrow.schema([(t, pyarrow.string()) for t in texts] + [("choices", pyarrow.list_(pyarrow.string()))] + [(f"image_{i}", image) for i in range(1, 5)])
    rows = [{"idx": "val_Counting_1", "question": "How many?", "sub_task": "Counting", "prompt": "How many?", "choices": ["1", "2"], "answer": "(B)",
             "image_1": {"bytes": picture, "path": "a.png"}}]
    for compression in ("none", "snappy", "zstd"):
        out = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), out, compression=compression)
        write("parquet", compression, out.getvalue())
    for path in [*(ROOT / "recipes").rglob("*.toml"), *(ROOT / "benchmarks").glob("*.toml")]:
        write("toml", path.stem, path.read_bytes())
    write("template", "base", (ROOT / "assets/base-tiny/chat_template.jinja").read_bytes())
    write("template", "loop", "{% for m in messages %}{{ m.role }}{% if loop.first %}{{ m.content }}{% endif %}{% endfor %}")


if __name__ == "__main__":
    main()
