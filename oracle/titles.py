"""What Python's `str.title` makes of every letter whose title form is not its great form, and of texts.

    python oracle/titles.py > crates/prism-model/tests/fixtures/titles.json
"""

import json
import platform
import sys
import unicodedata

LETTERS = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000 and chr(c).title() != chr(c).upper()]
TEXTS = [
    "they're bill's HELLO-world 3rd", "ß\x0ba b", "中a 中A", "ΟΔΟΣ ΟΔΟΣ.", "ΣΑΣ Σ aΣb aΣ'b aΣ'", "x\u0301ab", "ŉa ǰb ΐc", "İSTANBUL ıi",
    "ªbc ºD ⅷⅧ", "straße ﬁn oﬃce", "ა ბA", "ǆ aǄ", "", "_a__B", "a\u00adB", "ʰa",
]

json.dump(
    {"python": platform.python_version(), "unicode": unicodedata.unidata_version, "titles": [[t, t.title()] for t in LETTERS + TEXTS]},
    sys.stdout,
    ensure_ascii=True,
    indent=0,
)
print()
