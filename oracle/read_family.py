"""Opens a Qwen2-VL or Qwen3-VL checkpoint that Prism saved in transformers, and prints what it computes there.

Usage: python oracle/read_family.py FOLDER [EXAMPLE...]
Examples are numbers of crates/prism-model/tests/fixtures/families/examples.json (default: 0, 3 and 9). Prints a line of
JSON for each: prompt ids (a run of n image tokens as -n), grids, and the last token's logits in f32. Fails when a weight is
missing, unexpected or of another shape, and when AutoProcessor does not open the folder. Prints a line `{"skipped": ...}`
alone where the release at hand (one of transformers 4) does not know the model, or not the keys of its configuration.
"""
import json
import sys
from pathlib import Path

import torch
import transformers

from checkpoints import root
from checkpoints_expected import collapsed, forward, messages, opened

fixtures = root / "crates/prism-model/tests/fixtures/families"
DEFAULT = [0, 3, 9]
# What the weights of saved.json were multiplied by, so that the file cannot be met by the weights that were opened.
SCALE = 0.75


def kind_of(folder):
    return json.loads((folder / "config.json").read_text())["model_type"]


def text_config(folder):
    file = json.loads((folder / "config.json").read_text())
    return file.get("text_config", file)


def model_class(folder):
    """The class that opens the folder; none where this release has none."""
    name = {"qwen2_vl": "Qwen2VL", "qwen3_vl": "Qwen3VL"}[kind_of(folder)]
    return getattr(transformers, f"{name}ForConditionalGeneration", None)


def processor_of(folder):
    """The checkpoint's processor: the image processor and the tokenizer that its files name."""
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl_fast import Qwen2VLImageProcessorFast

    fast = json.loads((folder / "preprocessor_config.json").read_text())["image_processor_type"].endswith("Fast")
    image = (Qwen2VLImageProcessorFast if fast else Qwen2VLImageProcessor).from_pretrained(folder)
    kind = transformers.Qwen2TokenizerFast if (folder / "tokenizer.json").exists() else transformers.Qwen2Tokenizer
    tokenizer = kind.from_pretrained(folder, padding_side="left")
    template = tokenizer.chat_template
    if (folder / "chat_template.json").exists():
        template = json.loads((folder / "chat_template.json").read_text())["chat_template"]
    if kind_of(folder) == "qwen3_vl":
        from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
        return transformers.Qwen3VLProcessor(image, tokenizer, Qwen3VLVideoProcessor(), chat_template=template)
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
    return transformers.Qwen2VLProcessor(image, tokenizer, Qwen2VLVideoProcessor(), chat_template=template)


def axis_of(image_processor):
    """For the slow class the channels' axis, which it guesses wrong where an image is no larger than its channels."""
    return {} if type(image_processor).__name__.endswith("Fast") else {"input_data_format": "channels_last"}


def inputs(processor, example):
    """One example as the checkpoint's own processor makes it."""
    prompt = processor.apply_chat_template(messages(example), tokenize=False, add_generation_prompt=True)
    pictures = [opened(name) for name in example["images"]]
    return processor(text=[prompt], images=pictures or None, return_tensors="pt", **axis_of(processor.image_processor))


def answers(folder, model, processor, scale=1.0, chosen=DEFAULT):
    """A line for each example, of the model with its weights times `scale`; they are put back after."""
    pad = json.loads((folder / "config.json").read_text())["image_token_id"]
    examples = json.loads((fixtures / "examples.json").read_text())
    lines = []
    before = [weight.data for weight in model.parameters()]
    for weight in model.parameters():
        weight.data = weight.data * scale
    for number in chosen:
        batch = inputs(processor, examples[number])
        grids = batch["image_grid_thw"].tolist() if "image_grid_thw" in batch else []
        logits = [float(f"{value:.7g}") for value in forward(model, batch)[0, -1].tolist()]
        line = {"example": number, "ids": collapsed(batch["input_ids"][0].tolist(), pad), "grids": grids, "logits": logits}
        lines.append(json.dumps(line, separators=(",", ":")))
    for weight, data in zip(model.parameters(), before, strict=True):
        weight.data = data
    return lines


def main(folder, chosen):
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    kind = model_class(folder)
    unknown = f"no {kind_of(folder)}" if kind is None else "no rope_parameters" if "rope_parameters" in text_config(folder) else None
    if unknown:
        print(json.dumps({"skipped": f"transformers {transformers.__version__} has {unknown}"}))
        return
    transformers.AutoProcessor.from_pretrained(folder)
    model, told = kind.from_pretrained(folder, torch_dtype=torch.float32, output_loading_info=True)
    wrong = {key: sorted(map(str, value)) for key, value in told.items() if value}
    assert not wrong, f"did not fit: {wrong}"
    for line in answers(folder, model.eval(), processor_of(folder), chosen=chosen):
        print(line)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(number) for number in sys.argv[2:]] or DEFAULT)
