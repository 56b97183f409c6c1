"""What control arms may see, and their own latents, in PyTorch: pack `one` of the golden LVR checkpoint.

    python oracle/sight.py

Written with torch 2.15 (CPU), transformers 4.54.0. The attention masks are written out here
from the definition, one query at a time, and given to Hugging Face's language model as they
are. In the `own` cases every latent position is filled, one whole pass after another, with
the last hidden state before it, gradients flowing through all passes. The loss is the
cross-entropy of the counted labels. Writes, per case, the hidden states, the loss, the norm
of every parameter's gradient, and some gradients whole, to
`crates/prism-model/tests/fixtures/sight.{safetensors,json}`.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration

from golden import GOLDEN

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "crates/prism-model/tests/fixtures"
CASES = [("bottleneck", False), ("blindfold", False), ("open", True), ("bottleneck", True)]
WHOLE = ["layers.0.self_attn.k_proj.weight", "layers.1.self_attn.v_proj.bias", "layers.0.self_attn.q_proj.bias", "layers.1.mlp.up_proj.weight"]


def visible(sight, kinds, query, key):
    """Whether `query` may see `key`."""
    if key > query:
        return False
    if key == query or sight == "open":
        return True
    if sight == "bottleneck":
        if kinds[key] == "start":
            return False
        # What stands between the first image and the first start token has looked at the image.
        knowing = kinds[key] == "image" or kinds.index("image") <= key < kinds.index("start")
        return not knowing or query <= kinds.index("start") or kinds[query] in ("image", "start")
    # Blindfold: a latent's key is seen from inside its own unbroken run of latents only.
    return kinds[key] != "latent" or all(kind == "latent" for kind in kinds[key : query + 1])


def main():
    torch.set_num_threads(1)
    folder = GOLDEN / "checkpoints" / "lvr"
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager").eval()
    model.model.visual.requires_grad_(False)
    text = model.model.language_model
    config = json.load(open(folder / "config.json"))
    pack = json.load(open(GOLDEN / "expected/train_lvr.json"))[0]
    tensors = load_file(GOLDEN / "expected/train_lvr.safetensors")
    ids = torch.tensor(pack["input_ids"]).reshape(-1)
    grid = torch.tensor(pack["image_grid_thw"])
    names = {model.config.image_token_id: "image", config["lvr_start_id"]: "start", config["lvr_id"]: "latent"}
    kinds = [names.get(i, "other") for i in ids.tolist()]
    n = len(kinds)
    labels = torch.tensor(pack["labels"]).reshape(-1)
    labels[ids == config["lvr_id"]] = -100
    with torch.no_grad():
        features = torch.cat(list(model.model.get_image_features(tensors["pixel_values"], grid)))
        positions, _ = model.model.get_rope_index(ids[None], grid)
    latents = [i for i, kind in enumerate(kinds) if kind == "latent"]
    image = torch.tensor([i for i, kind in enumerate(kinds) if kind == "image"])
    targets = features[[t for region in pack["lvr_tokens"] for t in region]]
    parameters = {name.removeprefix("model.language_model."): p for name, p in model.named_parameters() if p.requires_grad}

    saved, told = {}, {}
    for sight, own in CASES:
        mask = torch.tensor([[0.0 if visible(sight, kinds, q, k) else torch.finfo(torch.float32).min for k in range(n)] for q in range(n)])

        def states(embeds):
            # A mask by kind of layer is taken as it is.
            masks = {"full_attention": mask[None, None], "sliding_attention": mask[None, None]}
            return text(inputs_embeds=embeds[None], position_ids=positions, attention_mask=masks, use_cache=False).last_hidden_state[0]

        model.zero_grad()
        embeds = model.model.get_input_embeddings()(ids).index_put((image,), features)
        if own:
            for at in latents:
                embeds = embeds.index_put((torch.tensor([at]),), states(embeds)[at - 1][None])
        else:
            embeds = embeds.index_put((torch.tensor(latents),), targets)
        hidden = states(embeds)
        loss = F.cross_entropy(model.lm_head(hidden)[:-1], labels[1:], ignore_index=-100)
        loss.backward()
        case = f"{sight}{'-own' if own else ''}"
        saved[f"{case}.hidden"] = hidden.detach().contiguous()
        for name in WHOLE:
            saved[f"{case}.{name}"] = parameters[name].grad.clone().contiguous()
        norms = {name: p.grad.norm().item() for name, p in parameters.items()}
        told[case] = {"loss": loss.item(), "grad_norm": norms}
        print(case, loss.item(), len(norms))
    save_file(saved, OUT / "sight.safetensors", metadata={"torch": torch.__version__, "transformers": transformers.__version__})
    made = {"by": "oracle/sight.py", "torch": torch.__version__, "transformers": transformers.__version__}
    (OUT / "sight.json").write_text(json.dumps({**made, "kinds": kinds, "cases": told}, indent=1) + "\n")


if __name__ == "__main__":
    main()
