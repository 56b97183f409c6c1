"""What transformers computes on the checkpoints of oracle/families.py: 20 examples each.

Usage: python oracle/families_expected.py [CASE...]                  (transformers 4.54.0: qwen2_vl)
       PYTHONPATH=<pip install --target of requirements-qwen3.txt> python oracle/families_expected.py    (4.57.1: qwen3_vl)
torch 2.15, Pillow 13.0, on the CPU, in f32 but where `bf16` is said. A case that another release wrote is loaded from its
folder where this one can read it, else a twin of the same seed is made. Once for both families: examples.json and images/.

Writes beside each checkpoint
expected.json         `examples`: prompt ids (a run of n image tokens as -n), grids, greedy tokens. `margin`: by how much the
                      first token of all greedy steps leads the second, at least. `pixels`: of each image the hash of its
                      pixel_values by the processors of `processors`; prompts and logits are those of the first of them.
                      `hidden`: the example and the tokens of `hidden` below. `gradients`: two examples, the answer's ids
                      that follow their prompts, the loss (mean cross-entropy of all answer tokens), the parameters' names.
expected.safetensors  `positions` [tokens of all prompts, 3] (int16); `sums` [the same tokens, 4]: logits in 4 groups of
                      columns as checkpoints_whole.py draws them; `f32` [20, 3, 24]: single logits as in
                      checkpoints_expected.py; `bf16`: largest and mean difference of all logits of the model in bfloat16;
                      `features.E`, `deepstack.E.I`: of three examples, the images' merged tokens and what is added behind
                      layer I; `hidden` [layers + 1, 4, width]: inputs of each layer, additions in them, and the last after
                      the final norm; `gradients` [parameters, 17]: norm and 16 signed sums; `gradient.NAME`: five whole.
saved.json            (two cases of each family) what read_family.py says of the checkpoint with every weight times 3/4.
"""
import hashlib
import json
import sys

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

import families
from checkpoints import specials
from checkpoints_expected import NEW_TOKENS, collapsed, forward, images, opened, rounded, safe
from checkpoints_whole import signs
from read_family import SCALE, answers, axis_of, inputs, model_class, processor_of

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
EXAMPLES, COLUMNS, GROUPS = 20, 24, 4
# Sides whose ratio is the largest allowed, and 195.
drawn = {"needle.png": (3, 600), "ribbon.png": (390, 2)}
# Shown by every case: long ones, tiny ones, and one that has to shrink.
extremes = ["families/images/needle.png", "families/images/ribbon.png", "preprocess/tall.png", "preprocess/wide.png", "jpeg/444_7x90.jpg",
            "jpeg/420_61x2.jpg", "preprocess/dot.png", "preprocess/tiny.png", "preprocess/large.png"]
answer = "<answer> B </answer><|im_end|>"
saved = ["qwen2_vl/plain", "qwen2_vl/tied", "qwen3_vl/plain", "qwen3_vl/tied"]


def draw_images():
    folder = families.out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (width, height) in drawn.items():
        waves = np.arange(height)[:, None, None] * 0.13 + np.arange(width)[None, :, None] * 0.29 + np.arange(3) * 2.0
        Image.fromarray((np.sin(waves) * 120 + 128).astype(np.uint8)).save(folder / name)


def example_list():
    """Question and images of each example: none to four, the extremes among them."""
    rng = np.random.default_rng(16)
    counts = [[1, 2, 1, 3, 1, 1, 2, 4, 1, 0][index % 10] for index in range(EXAMPLES)]
    rest = [image for image in images if image not in extremes]
    left = [*extremes, *(rest[i] for i in rng.permutation(len(rest)))][: sum(counts)]
    left = [left[i] for i in rng.permutation(len(left))]
    return [{"question": safe[index], "images": [left.pop() for _ in range(count)]} for index, count in enumerate(counts)]


def positions_of(model, batch):
    """Rotary positions [3, tokens], as the model computes them itself."""
    grids, mask = batch.get("image_grid_thw"), batch.get("attention_mask")
    return model.model.get_rope_index(batch["input_ids"], image_grid_thw=grids, attention_mask=mask)[0][:, 0]


def vision_of(model, batch):
    """The images' merged tokens, and the deepstack levels in the order in which they are added."""
    with torch.no_grad():
        found = model.visual(batch["pixel_values"].to(model.dtype), grid_thw=batch["image_grid_thw"])
    return found if isinstance(found, tuple) else (found, [])


def layer_inputs(model, batch):
    """[layers + 1, tokens, width]: what each layer is given, and the last state after the final norm."""
    seen = []
    text = model.model.language_model
    hooks = [layer.register_forward_pre_hook(lambda _, given: seen.append(given[0][0].clone())) for layer in text.layers]
    hooks.append(text.norm.register_forward_hook(lambda _, given, result: seen.append(result[0].clone())))
    forward(model, batch)
    for hook in hooks:
        hook.remove()
    return torch.stack(seen)


def continued(model, batch, stops):
    """Greedy tokens behind a prompt, up to the first that stops, and their smallest lead."""
    with torch.no_grad():
        result = model.generate(**batch, do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=stops, pad_token_id=stops[1],
                                output_logits=True, return_dict_in_generate=True)
    new = result.sequences[0, batch["input_ids"].shape[1] :].tolist()
    leads = [(top[0] - top[1]).item() for top in (logits[0].float().topk(2).values for logits in result.logits)]
    return new[: next((i + 1 for i, token in enumerate(new) if token in stops), len(new))], min(leads)


def gradients(model, batches, ids):
    """Loss of the answer `ids` behind each prompt, and every parameter's gradient."""
    total = 0.0
    model.zero_grad()
    for batch in batches:
        whole = torch.cat([batch["input_ids"], torch.tensor([ids])], 1)
        logits = model(input_ids=whole, attention_mask=torch.ones_like(whole), pixel_values=batch["pixel_values"],
                       image_grid_thw=batch["image_grid_thw"], use_cache=False).logits[0]
        loss = torch.nn.functional.cross_entropy(logits[-len(ids) - 1 : -1], torch.tensor(ids)) / len(batches)
        loss.backward()
        total += loss.item()
    found = {name: weight.grad.detach().clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    return total, found


def signed(gradient):
    """Norm and 16 signed sums."""
    flat = gradient.double().flatten()
    return torch.cat([flat.norm()[None], flat @ signs(flat.numel())])


def whole_ones(names):
    """Five parameters whose gradients are stored whole: small, and from all over the model."""
    wanted = ["layers.0.self_attn.q_norm.weight", "layers.1.self_attn.k_proj.bias", "layers.1.self_attn.v_proj.weight", "pos_embed.weight",
              "blocks.0.attn.qkv.bias", "blocks.1.norm2.weight", "blocks.0.mlp.fc1.weight", "deepstack_merger_list.0.linear_fc2.bias",
              "merger.mlp.0.bias", "language_model.layers.0.post_attention_layernorm.weight"]
    return [name for end in wanted for name in names if name.endswith(end)][:5]


def model_of(name, ids):
    """The case in f32, its weights rounded as they are stored."""
    case = families.resolved(name)
    if case["release"] in [families.release, "4.49.0"]:
        return model_class(families.out / name).from_pretrained(families.out / name, torch_dtype=torch.float32).eval()
    return rounded(families.model_of(case, ids, name), torch.float32)


def digests(processors, image):
    """Hash of the image's pixel values by each processor."""
    result = []
    for kind in processors:
        values = np.asarray(kind(images=[opened(image)], return_tensors="pt", **axis_of(kind))["pixel_values"]).astype("<f4")
        result.append(hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:32])
    return result


def run(name, examples):
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl_fast import Qwen2VLImageProcessorFast

    case, folder = families.resolved(name), families.out / name
    processor = processor_of(folder)
    ids = {token: processor.tokenizer.convert_tokens_to_ids(token) for token in specials}
    model, stops = model_of(name, ids), [ids["<|im_end|>"], ids["<|endoftext|>"]]
    batches = [inputs(processor, example) for example in examples]
    single = [forward(model, batch)[0] for batch in batches]
    rows, chosen, margin = [], [], float("inf")
    for number, (batch, logits) in enumerate(zip(batches, single, strict=True)):
        assert logits.shape[1] == case["rows"]
        greedy, lead = continued(model, batch, stops)
        margin = min(margin, lead)
        grids = batch.get("image_grid_thw", torch.zeros(0, 3, dtype=torch.long)).tolist()
        rows.append({"ids": collapsed(batch["input_ids"][0].tolist(), ids["<|image_pad|>"]), "grids": grids, "greedy": greedy})
        at = [len(logits) // 3, 2 * len(logits) // 3, len(logits) - 1]
        chosen.append(logits[at][:, [(number * 7 + j * (case["rows"] // COLUMNS)) % case["rows"] for j in range(COLUMNS)]])
    # Four groups: sums of 16, every fourth together.
    sums = torch.cat([logits.double() @ signs(case["rows"]) for logits in single]).reshape(-1, 16 // GROUPS, GROUPS).sum(1)
    positions = torch.cat([positions_of(model, batch).T for batch in batches])
    tensors = {"f32": torch.stack(chosen), "sums": sums.float(), "positions": positions.to(torch.int16)}
    pairs = [k for k, example in enumerate(examples) if len(example["images"]) > 1]
    long = next(k for k, example in enumerate(examples) if extremes[0] in example["images"])
    for k in list(dict.fromkeys([long, *pairs]))[:3]:
        tokens, levels = vision_of(model, batches[k])
        tensors[f"features.{k}"] = tokens
        tensors |= {f"deepstack.{k}.{i}": level for i, level in enumerate(levels)}
    of_image = (batches[pairs[0]]["input_ids"][0] == ids["<|image_pad|>"]).nonzero()[:, 0].tolist()
    places = [of_image[0], of_image[-1], of_image[-1] + 2, batches[pairs[0]]["input_ids"].shape[1] - 1]
    tensors["hidden"] = layer_inputs(model, batches[pairs[0]])[:, places]
    of_answer = processor.tokenizer(answer)["input_ids"]
    taught = [long, next(k for k in pairs if k != long)]
    loss, found = gradients(model, [batches[k] for k in taught], of_answer)
    tensors["gradients"] = torch.stack([signed(gradient) for gradient in found.values()]).float()
    tensors |= {f"gradient.{end}": found[end] for end in whole_ones(found)}
    if name in saved:
        lines = answers(folder, model, processor, SCALE)
        (folder / "saved.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    rounded(model, torch.bfloat16)
    apart = torch.cat([(forward(model, batch)[0].float() - logits).abs().flatten() for batch, logits in zip(batches, single, strict=True)])
    tensors["bf16"] = torch.tensor([apart.max().item(), apart.double().mean().item()])

    own = type(processor.image_processor)
    # The slow class does not read `size`, so that it is asked of a Qwen3-VL checkpoint only where it wrote the file itself.
    both = sorted([Qwen2VLImageProcessor, Qwen2VLImageProcessorFast], key=lambda kind: kind != own)
    kinds = [own] if case["family"] == "qwen3_vl" else both
    processors = [kind.from_pretrained(folder) for kind in kinds]
    pictures = sorted({image for example in examples for image in example["images"]})
    document = {
        "transformers": transformers.__version__, "margin": margin,
        "processors": ["fast" if kind.__name__.endswith("Fast") else "slow" for kind in kinds],
        "pixels": {image: digests(processors, image) for image in pictures},
        "hidden": {"example": pairs[0], "tokens": places},
        "gradients": {"examples": taught, "answer": of_answer, "loss": loss, "names": list(found)},
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in document.items())
    listed = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    (folder / "expected.json").write_text(f'{{{lines},\n"examples": [\n{listed}\n]}}\n')
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "expected.safetensors",
              metadata={"made_with": f"torch {torch.__version__}, transformers {transformers.__version__}"})
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{name}: {len(positions)} tokens, margin {margin:.1e}, bf16 apart {apart.max():.4f}, loss {loss:.4f}, "
          f"{len({tuple(row['greedy']) for row in rows})} greedy sequences, smallest gradient {tensors['gradients'][:, 0].min():.1e}, "
          f"{size} bytes", flush=True)


if __name__ == "__main__":
    draw_images()
    listed = example_list()
    (families.out / "examples.json").write_text("[\n" + ",\n".join(json.dumps(example) for example in listed) + "\n]\n")
    for name in families.chosen(sys.argv[1:]):
        reference = families.references[name.split("/")[0]]
        if families.release == reference:
            run(name, listed)
        else:
            print(f"{name}: left as it is, for its values are transformers {reference}'s, and this is {families.release}")
