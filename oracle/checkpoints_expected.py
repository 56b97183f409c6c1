"""What transformers computes on the checkpoints of oracle/checkpoints.py: 40 examples each.

Usage: python oracle/checkpoints_expected.py [CASE...]        (transformers 4.54.0, torch 2.15, Pillow 13.0, on the CPU)
Writes beside each checkpoint expected.json (prompt ids with a run of n image tokens as -n, grids, greedy
tokens, hashes of each image's pixel_values by the slow and the fast processor) and expected.safetensors
(logits at three tokens of each prompt, some columns of the vocabulary, others for each example: `f32`, and
`bf16` computed by the model in bfloat16; `spread` is the largest difference of the two); and, once for all,
examples.json (the questions and the images), chats.json and strings.json (texts and what becomes of them).

A checkpoint that another release wrote is loaded by that release's rules only in Rust; here a twin of the same
seed is made, for 4.54 does not know the newer configuration.
"""
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl_fast import Qwen2VLImageProcessorFast
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

import checkpoints

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
fixtures = checkpoints.root / "crates/prism-model/tests/fixtures"
out = checkpoints.out
EXAMPLES, NEW_TOKENS, COLUMNS, BATCH = 40, 8, 24, 8
strings = [
    "What is the color of the triangle?\nOptions:\nA. red\nB. blue\n\nAnswer with the option's letter from the given choices directly.",
    "Is the star left of the square?", "unknown words, THEY'LL do; 1234 5.6%", "   leading and trailing   ", "tabs\tand\r\nlines\n\n\n  indented",
    "naïve café ﬁ 日本語 🦊 👩‍👩‍👧", "cafe\u0301 e\u0301 \u212b \u1e9b\u0323", "a", " ", "\n", "\u00a0no-break\u00a0space\u3000wide", "!!??-- ...——…",
    "don't DON'T I'll we'Ve 'S ''s", "x\u200b\u200dy \ufeff", "<tool_call>{\"a\": 1}</tool_call>", "<|im_start|>user\nnot a turn<|im_end|> after",
    "<|endoftext|><|vision_start|><|video_pad|> <|im_end|", "١٢٣ ४५६ Ⅷ ½ 2⁵", "Привет, мир! ἀρχή שלום مرحبا नमस्ते", "\u0000\u0001\u001f\u007f", "𝔘𝔫𝔦 𝟘𝟙 \U000e0001",
    "snake_case CamelCase kebab-case path/to/file.txt http://a.b/c?d=e&f#g", "\r\r\n\n\r", "ends in newline\n", " \n \n", "한국어 조합 \u1112\u1161\u11ab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "{{ not a template }} {% neither %}", "<answer> B </answer>", "ß ẞ İ ı ﬀ ǆ", "Zalgo t\u0321\u0317e\u0300\u0301xt", "，。？「」【】", "  \t  mixed \u2028 separators \u2029 here",
]
images = sorted(f"preprocess/{p.name}" for p in (fixtures / "preprocess").glob("*.png")) + sorted(
    f"jpeg/{p.name}" for p in (fixtures / "jpeg").glob("*.jpg") if p.stem not in {"five_channels", "large"})
safe = [i for i, s in enumerate(strings) if "<|v" not in s and "image_pad" not in s]


def example_list():
    """Question and images of each example: none to four, every image at least once."""
    rng = np.random.default_rng(3)
    left = list(rng.permutation(len(images)))
    examples = []
    for index in range(EXAMPLES):
        count = [1, 2, 1, 3, 1, 1, 2, 4, 1, 0][index % 10]
        left = left if len(left) >= count else left + list(rng.permutation(len(images)))
        examples.append({"question": safe[index % len(safe)], "images": [images[left.pop(0)] for _ in range(count)]})
    return examples


def opened(name):
    """The image as qwen-vl-utils hands it over: alpha pasted on white, else converted."""
    image = Image.open(fixtures / name)
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.split()[3])
        return white
    return image.convert("RGB")


def messages(example):
    content = [{"type": "image"} for _ in example["images"]]
    return [{"role": "user", "content": [*content, {"type": "text", "text": strings[example["question"]]}]}]


def collapsed(ids, pad):
    """Ids with each run of image tokens as minus its length."""
    result = []
    for token in ids:
        if token != pad:
            result.append(token)
        elif result and result[-1] < 0:
            result[-1] -= 1
        else:
            result.append(-1)
    return result


def processor_of(folder):
    """The checkpoint's processor, with the slow image arithmetic."""
    # Whether the tokenizer is the slow or the fast class is told by its files.
    kind = transformers.Qwen2TokenizerFast if (folder / "tokenizer.json").exists() else transformers.Qwen2Tokenizer
    tokenizer = kind.from_pretrained(folder, padding_side="left")
    template = tokenizer.chat_template
    if (folder / "chat_template.json").exists():
        template = json.loads((folder / "chat_template.json").read_text())["chat_template"]
    return Qwen2_5_VLProcessor(Qwen2VLImageProcessor.from_pretrained(folder), tokenizer, Qwen2VLVideoProcessor(), chat_template=template)


def rounded(model, dtype):
    """The model with its weights in a dtype; `to` would round the rotary frequencies too, which loading does not."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    return model


def model_of(folder, name, ids):
    case = checkpoints.resolved(name)
    if case["release"] == transformers.__version__ or case["release"] == "4.49.0":
        return Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32).eval()
    model = Qwen2_5_VLForConditionalGeneration(checkpoints.config(case, ids)).eval()
    checkpoints.fill(model, name)
    return rounded(model, getattr(torch, case["dtype"])).float()


def inputs(processor, group):
    texts = [processor.apply_chat_template(messages(e), tokenize=False, add_generation_prompt=True) for e in group]
    pictures = [opened(name) for e in group for name in e["images"]]
    # The axis is named, for it is guessed wrong where an image is no larger than its channels.
    return processor(text=texts, images=pictures or None, padding=True, return_tensors="pt", input_data_format="channels_last")


def forward(model, batch):
    arguments = {k: v.to(model.dtype) if k == "pixel_values" else v for k, v in batch.items()}
    with torch.no_grad():
        return model(**arguments, use_cache=False).logits


def continued(model, processor, example, stops):
    """Greedy tokens behind one example's prompt.

    Alone, whatever the case: `generate` of 4.54 continues a left-padded row otherwise than the same row alone.
    """
    batch = inputs(processor, [example])
    with torch.no_grad():
        new = model.generate(**batch, do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=stops, pad_token_id=stops[1])
    return new[0, batch["input_ids"].shape[1] :].tolist()


def run(name, examples):
    case, folder = checkpoints.resolved(name), out / name
    processor = processor_of(folder)
    tokenizer = processor.tokenizer
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in checkpoints.specials}
    model = model_of(folder, name, ids)
    stops = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    rows, wide, narrow, spread = [], [], [], 0.0
    step = BATCH if case["batched"] else 1
    groups = [examples[at : at + step] for at in range(0, len(examples), step)]
    places = []
    for group in groups:
        batch = inputs(processor, group)
        logits = forward(model, batch)
        grids = batch.get("image_grid_thw", torch.zeros(0, 3, dtype=torch.long)).tolist()
        for k, example in enumerate(group):
            number = len(rows)
            start = int((batch["attention_mask"][k] == 0).sum())
            prompt = batch["input_ids"][k, start:].tolist()
            new = continued(model, processor, example, stops)
            end = next((i + 1 for i, t in enumerate(new) if t in stops), len(new))
            at = [len(prompt) // 3, 2 * len(prompt) // 3, len(prompt) - 1]
            columns = [(number * 7 + j * (case["rows"] // COLUMNS)) % case["rows"] for j in range(COLUMNS)]
            places.append((at, columns))
            wide.append(logits[k, [start + i for i in at]][:, columns])
            rows.append({"ids": collapsed(prompt, ids["<|image_pad|>"]), "grids": grids[: len(example["images"])], "greedy": new[:end]})
            grids = grids[len(example["images"]) :]
    if case["batched"]:  # padding must not matter to transformers itself, else the question is another one
        single = forward(model, inputs(processor, examples[:1]))[0, -1, places[0][1]]
        assert (single - wide[0][-1]).abs().max() < 2e-5, name
    rounded(model, torch.bfloat16)
    for example, (at, columns) in zip(examples, places, strict=True):
        narrow.append(forward(model, inputs(processor, [example]))[0, at][:, columns])
    wide, narrow = torch.stack(wide).float(), torch.stack(narrow)
    spread = (wide - narrow.float()).abs().max().item()
    fast = Qwen2VLImageProcessorFast.from_pretrained(folder)
    pixels = {}
    for image in sorted({image for e in examples for image in e["images"]}):
        digests = []
        for kind, axis in [(processor.image_processor, {"input_data_format": "channels_last"}), (fast, {})]:
            values = np.asarray(kind(images=[opened(image)], return_tensors="pt", **axis)["pixel_values"]).astype("<f4")
            digests.append(hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:32])
        pixels[image] = digests
    lines = ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows)
    (folder / "expected.json").write_text(
        f'{{"spread": {spread}, "processor": "{case["processor"]}",\n"pixels": {json.dumps(pixels, separators=(",", ":"))},\n"examples": [\n{lines}\n]}}\n')
    save_file({"f32": wide.contiguous(), "bf16": narrow.contiguous()}, folder / "expected.safetensors",
              metadata={"torch": torch.__version__, "transformers": transformers.__version__})
    gaps = wide.abs().max().item()
    print(f"{name}: largest logit {gaps:.2f}, bf16 spread {spread:.4f}, {len({tuple(r['greedy']) for r in rows})} greedy sequences", flush=True)


def texts():
    """Chats and their texts; strings and their ids, by the fixtures' two tokenizers and the shipped one."""
    processor = processor_of(out / "plain")
    part = {"image": {"type": "image"}}
    chats = [
        [["user", ["image", "one image"]]],
        [["system", ["Be brief."]], ["user", ["image", "and", "image", "two"]]],
        [["user", ["no image"]], ["assistant", ["<answer> B </answer>"]], ["user", ["  spaces  \n"]]],
        [["user", ["image", "image", "image", "{{ braces }} <b>&amp;</b> \"quotes\" é 🦊"]]],
        [["system", [""]], ["user", [""]]],
    ]
    rendered = []
    for chat in chats:
        asked = [{"role": role, "content": [part.get(p, {"type": "text", "text": p}) for p in parts]} for role, parts in chat]
        rendered.append([chat, processor.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)])
    (out / "chats.json").write_text(json.dumps(rendered, ensure_ascii=False, indent=1) + "\n")
    tokenizers = {"plain": processor.tokenizer, "tied": processor_of(out / "tied").tokenizer,
                  "base-tiny": transformers.Qwen2TokenizerFast.from_pretrained(checkpoints.root / "assets/base-tiny")}
    document = {"strings": strings} | {name: [t(s)["input_ids"] for s in strings] for name, t in tokenizers.items()}
    lines = ",\n".join(f"{json.dumps(k)}: [\n" + ",\n".join(json.dumps(v) for v in values) + "\n]" for k, values in document.items())
    (out / "strings.json").write_text("{" + lines + "}\n")


if __name__ == "__main__":
    chosen = example_list()
    (out / "examples.json").write_text("[\n" + ",\n".join(json.dumps(e) for e in chosen) + "\n]\n")
    texts()
    for case in sys.argv[1:] or list(checkpoints.cases):
        run(case, chosen)
