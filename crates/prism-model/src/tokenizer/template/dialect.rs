//! A template's source as MiniJinja reads it, from one as Jinja2 does under transformers.
//!
//! Three things are written otherwise. Jinja2 turns every line end into `\n` before it looks at anything. transformers adds a
//! statement, `{% generation %}`, which changes nothing of the text and opens a scope, as `{% with %}` does. And Python's `%`
//! formats a text, while MiniJinja's divides numbers alone: it becomes a call of [`MODULO`], a function that does both.

/// Name of the function that stands in for `%`.
pub(super) const MODULO: &str = "_modulo";

/// A piece of a source.
enum Piece<'a> {
    /// What is written as it is: text, comments, and what stands in a raw block.
    Plain(&'a str),
    /// A tag, its brackets included.
    Tag(&'a str),
}

/// The source rewritten.
pub(super) fn adapted(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let written = |piece: Piece<'_>| match piece {
        Piece::Plain(text) => text.to_owned(),
        Piece::Tag(tag) => code(tag),
    };
    pieces(&source).into_iter().map(written).collect()
}

/// What stands inside a source's tags.
pub(super) fn inner_tags(source: &str) -> Vec<&str> {
    let inner = |piece| match piece {
        Piece::Plain(_) => None,
        Piece::Tag(tag) => Some(&tag[2..tag.len() - 2]),
    };
    pieces(source).into_iter().filter_map(inner).collect()
}

fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        pieces.push(Piece::Plain(&rest[..at]));
        rest = &rest[at..];
        let tag = match rest.as_bytes().get(1) {
            Some(b'#') => rest.find("#}").map(|end| (&rest[..end + 2], false)),
            Some(b'{') => end_of(rest, "}}").map(|end| (&rest[..end], true)),
            Some(b'%') => end_of(rest, "%}").map(|end| (&rest[..end], true)),
            _ => None,
        };
        let (tag, is_code) = tag.unwrap_or((&rest[..1], false));
        rest = &rest[tag.len()..];
        pieces.push(if is_code { Piece::Tag(tag) } else { Piece::Plain(tag) });
        if is_code && word(tag) == "raw" {
            let end = end_of_raw(rest);
            pieces.push(Piece::Plain(&rest[..end]));
            rest = &rest[end..];
        }
    }
    pieces.push(Piece::Plain(rest));
    pieces
}

/// Behind the end of a tag that begins `text`; ends inside of texts do not count.
fn end_of(text: &str, end: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut quote, mut depth) = (2, None, 0usize);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 && !text[at..].starts_with(end) => depth -= 1,
            (None, b'}') if depth > 0 && end == "}}" => {
                depth -= 1;
            }
            (None, _) if text[at..].starts_with(end) => return Some(at + end.len()),
            _ => {}
        }
        at += 1;
        while at < bytes.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
    None
}

/// Where the tag that ends a raw block begins.
fn end_of_raw(text: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text[from..].find("{%") {
        if word(&text[from + at..]) == "endraw" {
            return from + at;
        }
        from += at + 2;
    }
    text.len()
}

/// The first word of a tag.
fn word(tag: &str) -> &str {
    let inner = tag.get(2..).unwrap_or_default().trim_start_matches(['-', '+']).trim_start();
    inner.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// A tag, rewritten.
fn code(tag: &str) -> String {
    let (open, inner, close) = (&tag[..2], &tag[2..tag.len() - 2], &tag[tag.len() - 2..]);
    if open == "{%" {
        let bare = inner.trim_matches(['-', '+']).trim();
        let replaced = match bare {
            "generation" => Some("with"),
            "endgeneration" => Some("endwith"),
            _ => None,
        };
        if let Some(replaced) = replaced {
            return format!("{open}{}{close}", inner.replacen(bare, replaced, 1));
        }
    }
    // A sign beside a bracket says what becomes of the white space there, and belongs to no expression.
    let sign = |c: Option<char>| usize::from(matches!(c, Some('-' | '+')));
    let (first, last) = (sign(inner.chars().next()), sign(inner.chars().next_back()));
    let Some(expression) = inner.get(first..inner.len() - last) else { return tag.to_owned() };
    match modulo(expression) {
        Some(expression) => format!("{open}{}{expression}{}{close}", &inner[..first], &inner[inner.len() - last..]),
        None => tag.to_owned(),
    }
}

/// What a piece of an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, number or text.
    Operand,
    /// A word that ends an operand: `and`, `if`, `set`, ...
    Keyword,
    /// An operator or sign; `%` is [`Kind::Modulo`].
    Sign,
    Modulo,
    Open,
    Close,
    Space,
}

/// A piece: what it is, and where it lies.
pub(super) type Token = (Kind, std::ops::Range<usize>);

/// Words that are no names.
const KEYWORDS: [&str; 22] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "set",
    "for",
    "recursive",
    "do",
    "call",
    "filter",
    "macro",
    "with",
    "import",
    "include",
    "from",
    "as",
    "print",
    "block",
];

pub(super) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let from = at;
        let kind = match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(bytes.len());
                Kind::Operand
            }
            b'(' | b'[' | b'{' => {
                at += 1;
                Kind::Open
            }
            b')' | b']' | b'}' => {
                at += 1;
                Kind::Close
            }
            b'%' => {
                at += 1;
                Kind::Modulo
            }
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                Kind::Space
            }
            byte if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => {
                while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_' || bytes[at] >= 0x80) {
                    at += 1;
                }
                if KEYWORDS.contains(&&text[from..at]) { Kind::Keyword } else { Kind::Operand }
            }
            b'*' | b'/' if bytes.get(at + 1) == Some(&bytes[at]) => {
                at += 2;
                Kind::Sign
            }
            _ => {
                at += 1;
                Kind::Sign
            }
        };
        tokens.push((kind, from..at));
    }
    tokens
}

/// The expressions of a tag with every `a % b` as a call; `None` where there is none.
fn modulo(inner: &str) -> Option<String> {
    let mut text = inner.to_owned();
    let mut changed = false;
    // From the left, as the operator binds: what was rewritten is a part of what follows.
    for _ in 0..inner.len() {
        let tokens = tokens(&text);
        let Some(at) = tokens.iter().position(|(kind, _)| *kind == Kind::Modulo) else { break };
        let (left, right) = (left_of(&tokens, at, &text)?, right_of(&tokens, at, &text)?);
        let (a, b) = (text[left.clone()].trim().to_owned(), text[right.clone()].trim().to_owned());
        let call = format!("{MODULO}({a}, {b})");
        text.replace_range(left.start..right.end, &call);
        changed = true;
    }
    changed.then_some(text)
}

/// Whether a sign between operands ends the operand of `%` on that side.
fn ends(sign: &str, left: bool) -> bool {
    match sign {
        "." | "|" => false,
        // On the left `a * b % c` is `(a * b) % c`.
        "*" | "/" | "//" | "**" => !left && sign != "**",
        _ => true,
    }
}

/// The operand on the left of the operator at `at`.
fn left_of(tokens: &[Token], at: usize, text: &str) -> Option<std::ops::Range<usize>> {
    let (mut depth, mut start, mut n) = (0usize, None, at);
    while n > 0 {
        n -= 1;
        let (kind, place) = &tokens[n];
        match kind {
            Kind::Close => depth += 1,
            Kind::Open if depth == 0 => break,
            Kind::Open => depth -= 1,
            Kind::Keyword if depth == 0 => break,
            Kind::Sign if depth == 0 => {
                let sign = &text[place.clone()];
                let before = tokens[..n].iter().rev().find(|(kind, _)| *kind != Kind::Space).map(|(kind, _)| *kind);
                let unary = sign == "-" && !matches!(before, Some(Kind::Operand | Kind::Close));
                if ends(sign, true) && !unary {
                    break;
                }
            }
            _ => {}
        }
        if *kind != Kind::Space {
            start = Some(place.start);
        }
    }
    Some(start?..tokens.get(at)?.1.start)
}

/// The operand on the right of the operator at `at`.
fn right_of(tokens: &[Token], at: usize, text: &str) -> Option<std::ops::Range<usize>> {
    let (mut depth, mut end, mut begun) = (0usize, None, false);
    for (kind, place) in &tokens[at + 1..] {
        match kind {
            Kind::Open => depth += 1,
            Kind::Close if depth == 0 => break,
            Kind::Close => depth -= 1,
            Kind::Keyword | Kind::Modulo if depth == 0 => break,
            Kind::Sign if depth == 0 => {
                let sign = &text[place.clone()];
                if ends(sign, false) && (begun || sign != "-") {
                    break;
                }
            }
            _ => {}
        }
        if *kind != Kind::Space {
            begun = true;
            end = Some(place.end);
        }
    }
    Some(tokens.get(at)?.1.end..end?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_otherwise_is_changed() {
        for (source, wanted) in [
            ("a\r\nb\rc", "a\nb\nc"),
            ("{%- generation -%}x{% endgeneration %}", "{%- with -%}x{% endwith %}"),
            ("{{ '%s' % x }}", "{{ _modulo('%s', x) }}"),
            ("{{ 'a' ~ '%s-%s' % (x, y)|join ~ z }}", "{{ 'a' ~ _modulo('%s-%s', (x, y)|join) ~ z }}"),
            (
                "{% if (loop.index0 % 2 == 0) != (m['role'] == 'user') %}",
                "{% if (_modulo(loop.index0, 2) == 0) != (m['role'] == 'user') %}",
            ),
            ("{{ a * b % c % -d + 1 }}", "{{ _modulo(_modulo(a * b, c), -d) + 1 }}"),
            ("{{ '50%' }} 50% {# {{ a % b }} #}", "{{ '50%' }} 50% {# {{ a % b }} #}"),
            ("{% raw %}{{ a % b }}{% endraw %}{{ a % b }}", "{% raw %}{{ a % b }}{% endraw %}{{ _modulo(a, b) }}"),
            ("{{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}} }}"),
            ("{{ '}}' }} {% set x = a % b %}", "{{ '}}' }} {% set x = _modulo(a, b) %}"),
            ("a {{-7 % 3-}} b{{- 7 % -3 }}{%- if 7 % 3 -%}", "a {{-_modulo(7, 3)-}} b{{- _modulo(7, -3) }}{%- if _modulo(7, 3) -%}"),
            ("{ not a tag }", "{ not a tag }"),
            ("{{ unfinished", "{{ unfinished"),
        ] {
            assert_eq!(adapted(source), wanted);
        }
    }
}
