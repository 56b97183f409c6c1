"""Loads a folder made by `tokenizer::make` in transformers and prints the ids of texts, one JSON list a line.

Usage: python oracle/read_tokenizer.py FOLDER < texts (one JSON string a line)
Fast and slow tokenizer, and the processor's chat template, must agree; the test compares the ids.
"""
import json
import sys

from transformers import AutoProcessor, AutoTokenizer, Qwen2Tokenizer

fast = AutoTokenizer.from_pretrained(sys.argv[1])
slow = Qwen2Tokenizer.from_pretrained(sys.argv[1])
processor = AutoProcessor.from_pretrained(sys.argv[1], use_fast=False)
for line in sys.stdin:
    text = json.loads(line)
    ids = fast(text)["input_ids"]
    assert ids == slow(text)["input_ids"], text
    assert fast.decode(ids) == text, text
    message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]
    print(json.dumps([ids, processor.apply_chat_template(message, add_generation_prompt=True), len(fast)]))
