"""What transformers makes of a tokenizer whose files disagree, or ask for more than a vocabulary.

Usage: python oracle/tokenizer_settings.py [FILE]
Takes two of the made checkpoints, changes one thing in a file of each and reads texts with `AutoTokenizer`.
Writes crates/prism-model/tests/fixtures/tokenizer_settings.json, made with transformers 4.54.1; 5.23.0 reads every
case alike but those of a declared `lstrip` or `rstrip`, which it passes over.
"""
import json
import shutil
import sys
import tempfile
from pathlib import Path

import transformers
from transformers import AutoTokenizer

fixtures = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures"
TEXTS = [
    "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What is the color of the star?<|im_end|>\n",
    "star stars <|vision_start|> x <|vision_end|> the star",
]
TOKEN = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": False}
template = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
}


def cases(folder, form):
    """Name, file, path of keys, value."""
    config = json.loads((folder / "tokenizer_config.json").read_text())
    ids = {token["content"]: key for key, token in config["added_tokens_decoder"].items()}
    free = str(max(map(int, ids.values())) + 1)
    start = ids["<|vision_start|>"]
    declared = config["added_tokens_decoder"]
    yield "as it is", None, None, None
    yield "declared with rstrip", "tokenizer_config.json", ["added_tokens_decoder", start], dict(declared[start], rstrip=True)
    yield "declared with lstrip", "tokenizer_config.json", ["added_tokens_decoder", start], dict(declared[start], lstrip=True)
    yield "declared alone", "tokenizer_config.json", ["added_tokens_decoder", free], dict(TOKEN, content="star")
    yield "declared alone, whole words", "tokenizer_config.json", ["added_tokens_decoder", free], dict(TOKEN, content="star", single_word=True)
    yield "named alone", "tokenizer_config.json", ["additional_special_tokens"], ["star"]
    if form == "fast":
        end = int(ids["<|endoftext|>"])
        special = {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [end], "tokens": ["<|endoftext|>"]}}
        yield "padded", "tokenizer.json", ["padding"], {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None,
                                                       "pad_id": end, "pad_type_id": 0, "pad_token": "<|endoftext|>"}
        yield "added to every text", "tokenizer.json", ["post_processor"], dict(template, special_tokens=special)
        yield "prefix space", "tokenizer.json", ["pre_tokenizer"], {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
        yield "cut where no text is so long", "tokenizer.json", ["truncation"], {"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0}
    else:
        older = json.loads((folder / "added_tokens.json").read_text())
        yield "only in added_tokens.json", "added_tokens.json", ["star"], int(free)
        yield "nothing in added_tokens.json", "added_tokens.json", [], {}
        assert older


def changed(folder, file, keys, value):
    if file is None:
        return
    path = folder / file
    content = json.loads(path.read_text())
    if not keys:
        content = value
    else:
        at = content
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value
    path.write_text(json.dumps(content, ensure_ascii=False))


found = []
for form, name in [("fast", "plain"), ("slow", "half")]:
    for case, file, keys, value in cases(fixtures / "checkpoints" / name, form):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder) / "c"
            folder.mkdir()
            for path in (fixtures / "checkpoints" / name).iterdir():
                if path.suffix in (".json", ".txt", ".jinja") and not path.name.startswith("expected"):
                    shutil.copy(path, folder / path.name)
            changed(folder, file, keys, value)
            tokenizer = AutoTokenizer.from_pretrained(folder)
            ids = [tokenizer(text)["input_ids"] for text in TEXTS]
        found.append({"case": case, "checkpoint": name, "file": file, "keys": keys, "value": value, "ids": ids})
out = {"transformers": transformers.__version__, "texts": TEXTS, "cases": found}
text = json.dumps(out, ensure_ascii=False, indent=1)
if len(sys.argv) > 1:
    Path(sys.argv[1]).write_text(text)
else:
    (fixtures / "tokenizer_settings.json").write_text(text + "\n")
