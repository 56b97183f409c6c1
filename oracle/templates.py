"""Chat templates as transformers' processors render them: which file has the template, and what comes out.

Usage: [PYTHONPATH=tf-RELEASE] python oracle/templates.py
Writes crates/prism-model/tests/fixtures/templates/cases.json: for each case the files of a folder that concern its template,
messages, and the text, or null where transformers fails. The texts are those of the release in `requirements.txt`
(4.54); run under another release (README), the script compares and writes nothing, and names what differs.
"""
import json
import shutil
import sys
import tempfile
from pathlib import Path

import jinja2
import transformers
from transformers import AutoProcessor

import golden

transformers.logging.set_verbosity_error()
out = Path(__file__).resolve().parent.parent / "crates/prism-model/tests/fixtures/templates/cases.json"
base = golden.GOLDEN / "checkpoints/lvr"


def text(value):
    return {"type": "text", "text": value}


IMAGE = {"type": "image"}
CHATS = {
    "one": [{"role": "user", "content": [IMAGE, text("What is it? <b>&'\"é\n2")]}],
    "turns": [
        {"role": "system", "content": [text("Be brief.")]},
        {"role": "user", "content": [IMAGE, IMAGE, text("Compare 'a' and \"b\".")]},
        {"role": "assistant", "content": [text(" The second. ")]},
        {"role": "user", "content": [text("Why?"), IMAGE]},
    ],
}

QWEN = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LINES = """{%- if messages[0].role == 'system' %}
    {{- 'SYS:' + messages[0].content[0].text + '\\n' }}
{%- endif %}
{% for message in messages %}
    {%- if message.role == "user" %}
        [{{ loop.index }}/{{ loop.length }}]
        {% for part in message.content %}
            {% if part.type == 'image' -%} <img> {%- endif %}
            {{ part.text if part.text is defined else '' }}
        {% endfor %}
    {% elif message.role == 'assistant' %}
  {% generation %}
{{ message.content[0].text | trim }}
  {% endgeneration %}
    {% endif %}
{% endfor %}
{{- '\\n> ' if add_generation_prompt }}
"""
# Each: what stands in chat_template.jinja.
SOURCES = {
    "qwen": QWEN,
    "lines": LINES,
    "lines_crlf": LINES.replace("\n", "\r\n"),
    "crlf_in_text": "{{ 'a\r\nb' }}\r\n{% if true %}\r\n  x\r\n{% endif %}\r\ny\r\n",
    "cr_alone": "a\rb{{ 1 }}\r",
    "trailing_newlines": "a\n\n\n",
    "bos": "{{ bos_token }}|{{ eos_token }}|{{ pad_token }}|{{ unk_token }}",
    "additional": "{{ additional_special_tokens }}{% for t in additional_special_tokens %}[{{ t }}]{% endfor %}",
    "eos_in_turns": "{% for m in messages %}{{ m.role }}{{ eos_token }}{% endfor %}",
    "is_defined": "{{ bos_token is defined }} {{ eos_token is defined }} {{ tools is defined }} {{ nothing is defined }}",
    "tools_none": "{% if tools is not none %}T{% else %}no tools{% endif %}{% if documents %}D{% endif %}{{ tools }}",
    "generation": "{% for m in messages %}{% generation %}{{ m.content[-1].text }}{% endgeneration %}{% endfor %}",
    "generation_dashes": "{% for m in messages %}\n  {%- generation -%}\n  {{ m.role }}\n  {%- endgeneration -%}\n{% endfor %}",
    "generation_scope": "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}",
    "generation_in_condition": "{% for m in messages %}{% if m.role == 'assistant' %}{%- generation %}A{{ m.content[0].text }}{% endgeneration -%}{% endif %}{% endfor %}",
    "generation_as_text": "{{ '{% generation %}' }}{% raw %}{% generation %}{% endraw %}{# {% generation %} #}",
    "tojson": "{{ messages | tojson }}",
    "tojson_item": "{{ messages[0].content[-1] | tojson }}",
    "tojson_indent": "{{ messages | tojson(indent=2) }}",
    "tojson_indent_4": "{{ messages[0] | tojson(indent=4) }}",
    "tojson_ascii": "{{ messages | tojson(ensure_ascii=True) }}",
    "tojson_ascii_position": "{{ messages | tojson(True) }}",
    "tojson_sorted": "{{ messages | tojson(sort_keys=True) }}",
    "tojson_separators": "{{ messages | tojson(separators=(',', ':')) }}",
    "tojson_literal": "{{ {'z': 1, 'a': [1, 2.0, true, none, 1e20, 0.00001], 'm': {'é': '<&>', 'b': {}}, 'e': []} | tojson }}",
    "tojson_literal_indent": "{{ {'z': 1, 'a': [1, {'q': 2}], 'e': [], 'd': {}} | tojson(indent=3) }}",
    "tojson_escapes": "{{ 'a\\tb\\nc\\\\d\"e/f' | tojson }}",
    "tojson_number": "{{ 3 | tojson }} {{ 2.5 | tojson }} {{ 'x' | tojson }} {{ [1, 'a'] | tojson }}",
    "order_of_literals": "{% set d = {'z': 1, 'a': 2, 'm': 3} %}{% for k in d %}{{ k }}{% endfor %}{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}",
    "order_of_messages": "{% for m in messages %}{% for k, v in m.items() %}{{ k }} {% endfor %}{% for p in m.content %}{{ p.keys() | list }}{% endfor %}{% endfor %}",
    "order_dictsort": "{% for k, v in {'z': 1, 'a': 2, 'm': 3} | dictsort %}{{ k }}{{ v }}{% endfor %}",
    "order_of_many": "{% set d = dict(q=1, b=2, z=3, a=4) %}{{ d | tojson }}{% for k in d.keys() %}{{ k }}{% endfor %}{{ d.values() | list }}",
    "modulo_numbers": "{% for m in messages %}{{ loop.index0 % 2 }}{{ (loop.index0 % 2 == 0) == (m.role == 'user') }}{% endfor %}{{ 7 % 3 * 2 }}{{ 2 * 7 % 5 }}{{ -7 % 3 }}",
    "modulo_text": "{{ 'role: %s' % messages[0].role }}|{{ '%s-%s' % (1, 'b') }}|{{ '%d items' % 3 }}|{{ '%05.2f' % 3.14159 }}|{{ '%x' % 255 }}|{{ '100%%' % () }}",
    "modulo_join": "{{ 'a' ~ '%s!' % 'b' ~ 'c' }}{{ 'x%s' % 'y' | upper }}{{ '%s' % true }}{{ '%s' % none }}{{ '%-5s|' % 'ab' }}{{ '%5s|' % 'ab' }}",
    "format_filter": "{{ '%s and %s' | format('a', 2) }}{{ '{} {}'.format('x', 1) }}{{ '{0}-{a}'.format(1, a=2) }}",
    "percent_as_text": "100% {{ '5%' }} {{ '%' ~ 'a' }}{# a % b #}{{ messages[0].role if 5 % 2 else '' }}",
    "python_bool": "{{ true }} {{ false }} {{ none }} {{ 1 == 1 }} {{ 1.0 }} {{ 3 / 2 }} {{ 4 / 2 }} {{ 7 // 2 }} {{ 2 ** 3 }}",
    "python_list": "{{ [1, 'a', \"it's\", none, true, 2.5] }} {{ (1, 2) }} {{ (1,) }} {{ {'a': [1], 'b': 'c'} }} {{ [] }} {{ {} }}",
    "python_message": "{{ messages[0] }}",
    "slices": "{% for m in messages[1:] %}{{ m.role }},{% endfor %}{{ messages[-1].role }}{{ 'abcdef'[1:3] }}{{ 'abcdef'[::-1] }}{{ messages[::-1][0].role }}",
    "strip": "{{ '  a b ' | trim }}|{{ '  a '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,,c'.split(',') }}|{{ 'a b  c'.split() }}|{{ 'abc'.startswith('ab') }}|{{ 'a</think>b'.split('</think>')[-1] }}",
    "think": "{% for m in messages %}{% set content = m.content[-1].text if m.content[-1].text is string else '' %}{% if '?' in content %}{{ content.split('?')[0].rstrip('\\n').lstrip() }}{% endif %}{% endfor %}",
    "namespace": "{% set ns = namespace(found=false, n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% if m.role == 'assistant' %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }} {{ ns.n }}",
    "loop_controls": "{% for m in messages %}{% if loop.index0 == 2 %}{% break %}{% endif %}{% if m.role == 'system' %}{% continue %}{% endif %}{{ m.role }}{% endfor %}",
    "loop_else": "{% for m in messages if m.role == 'tool' %}x{% else %}none{% endfor %}{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '-' }}>{{ loop.nextitem.role if not loop.last else '-' }} {% endfor %}",
    "macro": "{% macro turn(m, tag='u') %}<{{ tag }}:{{ m.role }}>{% endmacro %}{% for m in messages %}{{ turn(m) }}{{ turn(m, tag='z') }}{% endfor %}",
    "filters": "{{ messages | length }} {{ messages | map(attribute='role') | join('+') }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ 'ab' | upper }} {{ 'a b' | replace(' ', '_') }} {{ [3, 1, 2] | sort }} {{ nothing | default('d') }} {{ '' | default('e', true) }} {{ [1, 2] | first }} {{ [1, 2] | last }}",
    "tests": "{{ 1 is number }} {{ 'a' is string }} {{ messages is iterable }} {{ messages[0] is mapping }} {{ none is none }} {{ messages is sequence }} {{ 2 is even }} {{ 'a' in 'cat' }} {{ 'role' in messages[0] }} {{ 3 is odd }} {{ true is boolean }} {{ 1 is integer }} {{ 1.5 is float }}",
    "escapes_nothing": "{{ messages[0].content[-1].text }}{{ '<&>\"' }}{{ '<' | e }}{{ '<' | safe }}",
    "white_space": "a  \n  {% if true %}  \n  b  \n  {% endif %}  \n  c {{- ' d ' -}}  e\n  {%+ if true %}f{% endif %}\n",
    "lstrip_comment": "  {# a comment #}\nx\n  {#- another -#}\n y",
    "set_block": "{% set x %}a{{ 1 }}\n{% endset %}[{{ x }}]{% set y = [1] + [2] %}{{ y }}{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "inline_if": "{{ 'a' if messages else 'b' }}{{ 'c' if nothing }}{{ ('x' if false else 'y') ~ 'z' }}",
    "concat": "{{ 'a' + 'b' ~ 1 ~ none ~ true }}{{ 'ab' * 3 }}{{ [0] * 2 }}",
    "get": "{{ messages[0].get('role') }}{{ messages[0].get('nothing', 'n') }}{{ messages[0].get('nothing') }}{{ messages[0].nothing }}{{ messages[0]['nothing'] }}",
    "add_generation_prompt": "{{ add_generation_prompt }}{{ continue_final_message }}",
    "raise": "{{ raise_exception('no system') if messages[0].role == 'system' }}ok",
    "raise_always": "{{ raise_exception('never') }}",
    "undefined_attribute": "{{ nothing.at.all }}",
    "syntax_error": "{% if %}",
    "date_by_pattern": "{{ strftime_now('no directive') }}{% if strftime_now is defined %}!{% endif %}{{ strftime_now('%Y-%m-%d') | length }}{{ strftime_now('%d %b %Y') | length }}",
    "unicode": "é{{ 'ü' | upper }}{{ '日本' | length }}{{ '\\u00e9' }}{{ 'ß'.upper() }}",
    "only_text": "no tag at all { } }} %}",
    "vision_id": "{% for m in messages %}{% for c in m['content'] %}{% if c.type == 'image' %}Picture {{ loop.index }}: <|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}{% endfor %}",
    "call_block": "{% macro wrap() %}[{{ caller() }}]{% endmacro %}{% call wrap() %}in{% endcall %}",
    "filter_block": "{% filter upper %}abc{% endfilter %}",
    "reverse": "{{ messages | reverse | map(attribute='role') | list }}{{ 'abc' | reverse }}{{ [1, 2, 3] | sum }}{{ range(3) | list }}{{ [1, 2, 2] | unique | list }}",
    "sign_before_modulo": "a {{- 7 % 3 -}} b{{-7%3}}{{ 7 % -3 }}{%- if 7 % 3 == 1 -%} c {%- endif %}",
    "title": "{{ \"they're bill's HELLO-world 3rd\".title() }}|{{ 'ß\\x0ba b'.title() }}",
    "splitlines": "{{ 'a\\nb\\r\\nc\\x0bd\\u2028e\\n'.splitlines() }}{{ ''.splitlines() }}",
    "indent": "{{ 'a\\nb\\n\\nc\\n'|indent }}|{{ ''|indent(4, true) }}|{{ 'a\\n\\nb'|indent(2, true, true) }}|{{ 'a\\nb'|indent('> ') }}",
    "escape": "{{ '<a href=\"x\">\\'&</a>'|escape }}{{ '<'|e }}",
    "sequence": "{{ 'a' is sequence }}{{ {} is sequence }}{{ [] is sequence }}{{ 1 is sequence }}{{ none is sequence }}",
    "comparison": "{{ 1 < 2 < 3 }}{{ 'a' < 'b' }}{{ not true }}{{ true and false or true }}{{ 1 == 1.0 }}{{ [1] == [1] }}",
    "items_filter": "{% for k, v in messages[0] | items %}{{ k }};{% endfor %}",
}
config = json.loads((Path(base) / "tokenizer_config.json").read_text())


def configured(**keys):
    return json.dumps({**{k: v for k, v in config.items() if k != "added_tokens_decoder"}, **keys})


TAG = "{{ '%s' }}"
# Each: files of the folder.
FILES = {
    "jinja_and_json": {"chat_template.jinja": "from jinja", "chat_template.json": json.dumps({"chat_template": "from json"})},
    "json_alone": {"chat_template.json": json.dumps({"chat_template": "from json\r\nx"})},
    "jinja_and_tokenizer": {"chat_template.jinja": "from jinja", "tokenizer_config.json": configured(chat_template="from tokenizer")},
    "json_and_tokenizer": {
        "chat_template.json": json.dumps({"chat_template": "from json"}), "tokenizer_config.json": configured(chat_template="from tokenizer"),
    },
    "byte_order_mark": {"chat_template.jinja": "\ufefftext"},
    "eos_as_description": {
        "chat_template.jinja": "{{ eos_token }}{{ bos_token }}",
        "tokenizer_config.json": configured(eos_token={"content": "<|im_end|>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}, bos_token="<|im_start|>"),
    },
    "no_additional": {
        "chat_template.jinja": "{{ additional_special_tokens is defined }}{{ eos_token }}", "tokenizer_config.json": configured(additional_special_tokens=[]),
    },
}


def rendered(files, chat, answer):
    """The text of a chat by the processor of a folder with those files, or None where it fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "folder"
        shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.safetensors", "chat_template*"))
        for file, content in files.items():
            (folder / file).write_bytes(content.encode())
        try:
            processor = AutoProcessor.from_pretrained(folder)
            return processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=answer)
        except (jinja2.TemplateError, ValueError, TypeError, KeyError):
            return None


cases = []
for name, source in SOURCES.items():
    for chat in CHATS:
        cases.append({"name": name, "files": {"chat_template.jinja": source}, "chat": chat, "answer": True})
for name in ["qwen", "lines", "add_generation_prompt"]:
    cases.append({"name": f"{name}_without_answer", "files": {"chat_template.jinja": SOURCES[name]}, "chat": "turns", "answer": False})
for name, files in FILES.items():
    cases.append({"name": name, "files": files, "chat": "one", "answer": True})
for case in cases:
    # Where a case has no tokenizer_config.json of its own, it is the golden one without its list of tokens' properties.
    case["text"] = rendered(case["files"], CHATS[case["chat"]], case["answer"])

if transformers.__version__ != "4.54.0" and not transformers.__version__.startswith("4.54"):
    before = json.loads(out.read_text())["cases"]
    differ = [(c["name"], c["chat"], b["text"], c["text"]) for b, c in zip(before, cases, strict=True) if b["text"] != c["text"]]
    print(transformers.__version__, len(cases), "cases; differ:", differ)
    sys.exit(bool(differ))
document = {
    "versions": {"transformers": transformers.__version__, "jinja2": jinja2.__version__}, "chats": CHATS,
    "tokenizer_config.json": configured(added_tokens_decoder={}),
    "special_tokens_map.json": (Path(base) / "special_tokens_map.json").read_text(), "cases": cases,
}
out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
print(len(cases), "cases,", sum(case["text"] is None for case in cases), "of which transformers refuses")
