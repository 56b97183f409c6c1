//! Which texts of a file are words that something is compared with, or looked for by.

use std::collections::BTreeSet;

use super::code::{Code, Token};

/// A word that is compared as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Its line, counted from 1.
    pub line: usize,
    /// The word, as it is declared.
    pub word: String,
}

/// What stands between the parts of an intervention's name, or of a cell's.
const BETWEEN: [char; 3] = [':', '/', '@'];

/// Methods that compare texts.
const METHODS: [&str; 17] = [
    "starts_with",
    "ends_with",
    "strip_prefix",
    "strip_suffix",
    "trim_start_matches",
    "trim_end_matches",
    "split_once",
    "rsplit_once",
    "split",
    "rsplit",
    "find",
    "rfind",
    "matches",
    "contains",
    "eq",
    "ne",
    "eq_ignore_ascii_case",
];

/// Methods that make another text of the same letters.
const CONVERSIONS: [&str; 5] = ["to_string", "to_owned", "into", "as_str", "as_ref"];

/// Methods that look for something in a list.
const SEARCHES: [&str; 5] = ["contains", "any", "all", "find", "position"];

/// First and last token of an expression or a pattern.
type Span = (usize, usize);

/// Every word that the code compares as text.
pub fn comparisons(text: &str, words: &BTreeSet<String>) -> Vec<Hit> {
    let code = Code::new(text);
    let mut hits = Vec::new();
    for (at, line, text) in code.texts() {
        let word = match name(text, words) {
            Some(word) => is_compared(&code, at).then_some(word),
            None => begun(text, words).filter(|_| is_method_argument(&code, at)),
        };
        hits.extend(word.map(|word| Hit { line, word: word.to_string() }));
    }
    hits.dedup();
    hits
}

/// The word that a text names, alone or with an argument: `zero`, `noise:`, `base/oracle`, `forced.`.
fn name<'w>(text: &str, words: &'w BTreeSet<String>) -> Option<&'w str> {
    let of = |text: &str| words.get(text).map(String::as_str);
    let first = text.split(BETWEEN).find(|part| !part.is_empty()).filter(|_| !text.contains(' '));
    of(text).or_else(|| of(text.strip_suffix('.')?)).or_else(|| of(first?))
}

/// The word of several parts that a text begins or ends: `image-`, `_mean`.
fn begun<'w>(text: &str, words: &'w BTreeSet<String>) -> Option<&'w str> {
    const JOINS: [char; 3] = ['-', '_', ' '];
    let fits = |word: &&String| (text.ends_with(JOINS) && word.starts_with(text)) || (text.starts_with(JOINS) && word.ends_with(text));
    words.iter().filter(|_| text.len() > 3).find(fits).map(String::as_str)
}

fn is_compared(code: &Code<'_>, at: usize) -> bool {
    is_equated(code, at) || is_method_argument(code, at) || is_in_matches(code, at) || is_pattern(code, at)
}

/// `x == "zero"`, `"zero" == x`, `x == Some("zero")`, `(x, y) == ("zero", 1)`, `["zero", "mean"].contains(&x)`.
fn is_equated(code: &Code<'_>, at: usize) -> bool {
    let mut span = dressed(code, (at, at));
    loop {
        let (from, to) = span;
        if [code.sign(from - 1), code.sign(to + 1)].iter().any(|sign| matches!(*sign, "==" | "!=")) {
            return true;
        }
        if is_searched(code, to) && !is_asserted(code, at) {
            return true;
        }
        match container(code, from) {
            Some(outer) => span = dressed(code, outer),
            None => return false,
        }
    }
}

/// `x.starts_with("zero")`, `x.contains("zero")`. A test may look for a word in what is printed.
fn is_method_argument(code: &Code<'_>, at: usize) -> bool {
    let mut span = dressed(code, (at, at));
    while let Some(outer) = container(code, span.0) {
        span = dressed(code, outer);
    }
    let called = |open: usize| open > 1 && code.sign(open - 2) == "." && METHODS.contains(&code.word(open - 1));
    code.within(span.0).is_some_and(called) && !is_asserted(code, at)
}

/// `matches!(x, "zero" | "mean")`.
fn is_in_matches(code: &Code<'_>, at: usize) -> bool {
    let of = code.around(at).find(|open| code.macro_of(*open).ends_with("matches"));
    of.is_some_and(|open| (open..at).any(|i| code.within(i) == Some(open) && code.sign(i) == ","))
}

/// `"zero" => ..`, `Some("zero") | None => ..`, `"zero" if y => ..`, `if let Some("zero") = x`.
fn is_pattern(code: &Code<'_>, at: usize) -> bool {
    let mut span = (at, at);
    loop {
        if is_taken(code, span) {
            return true;
        }
        match code.within(span.0).filter(|open| code.sign(*open) != "{") {
            Some(open) => span = (open, code.pair(open)),
            None => return false,
        }
    }
}

/// Whether a pattern that something is matched with ends behind this one.
fn is_taken(code: &Code<'_>, (from, to): Span) -> bool {
    let mut at = to + 1;
    loop {
        match code.token(at) {
            Token::Sign("=>") => return !follows(code, from, "if"),
            Token::Sign("=") => return follows(code, from, "let"),
            Token::Sign("(" | "[") if code.pair(at) > at => at = code.pair(at),
            Token::Sign("|" | "::" | "&" | ".." | "..=" | "@") | Token::Text(_) => {}
            Token::Sign(_) => return false,
            Token::Word("if") => return true,
            Token::Word(_) => {}
        }
        at += 1;
    }
}

/// Whether this word stands to the left, within the same statement or arm.
fn follows(code: &Code<'_>, from: usize, word: &str) -> bool {
    let mut at = from - 1;
    loop {
        match code.token(at) {
            Token::Sign(")" | "]") => at = code.pair(at),
            Token::Sign("" | "," | ";" | "{" | "}" | "(" | "[" | "=>" | "=") => return false,
            Token::Word(found) if found == word => return true,
            Token::Sign(_) | Token::Word(_) | Token::Text(_) => {}
        }
        if at == 0 {
            return false;
        }
        at -= 1;
    }
}

/// An expression with all that leaves it what it is: `&`, `*`, `.to_string()`.
fn dressed(code: &Code<'_>, (mut from, mut to): Span) -> Span {
    while matches!(code.sign(from - 1), "&" | "*") {
        from -= 1;
    }
    while code.sign(to + 1) == "." && CONVERSIONS.contains(&code.word(to + 2)) && code.sign(to + 3) == "(" && code.sign(to + 4) == ")" {
        to += 4;
    }
    (from, to)
}

/// The tuple, list or `Some` around an expression; `None` where it is an argument, or stands in no bracket.
fn container(code: &Code<'_>, from: usize) -> Option<Span> {
    let open = code.within(from).filter(|open| code.sign(*open) != "{")?;
    let start = match (code.macro_of(open), code.word(open - 1), code.sign(open - 1)) {
        ("" | "if" | "in" | "return" | "while", "" | "if" | "in" | "let" | "match" | "return" | "while", before) => {
            (!matches!(before, ")" | "]" | ">")).then_some(open)
        }
        (_, "Some" | "Ok" | "Err", _) => Some(open - 1),
        ("json" | "vec", ..) => Some(open - 2),
        _ => None,
    };
    start.map(|start| (start, code.pair(open)))
}

/// Whether something is looked for in the list that ends here.
fn is_searched(code: &Code<'_>, to: usize) -> bool {
    let is_list = code.sign(to) == "]" && code.sign(to + 1) == ".";
    let first = code.word(to + 2);
    let method = if matches!(first, "iter" | "into_iter") { code.word(to + 6) } else { first };
    is_list && SEARCHES.contains(&method)
}

/// Whether a test asserts something with it.
fn is_asserted(code: &Code<'_>, at: usize) -> bool {
    code.around(at).any(|open| code.macro_of(open).starts_with("assert"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(code: &str) -> Vec<String> {
        let words = ["base", "bypassed", "context", "forced", "image-hidden", "mean", "no latents ran", "noise", "oracle", "zero"];
        comparisons(code, &words.map(String::from).into()).into_iter().map(|hit| hit.word).collect()
    }

    #[test]
    fn comparisons_are_seen() {
        for code in [
            r#"if v.verdict == "bypassed" {"#,
            r#"if "zero" == name {"#,
            r#"if name.as_str() != "zero" {"#,
            r#"name == *"zero""#,
            r#"name == "zero".to_string()"#,
            r#""zero".to_owned() == name"#,
            r#"x.kind() == Some("zero")"#,
            r#"Some("zero") == x.kind()"#,
            r#"(kind, step) == ("zero", 1)"#,
            r#"value["action"] == json!("zero")"#,
            r#"names.iter().any(|name| name == "zero")"#,
            r#"["zero", other.as_str()].contains(&name)"#,
            r#"!["zero", "noise:"].iter().any(|begin| name.starts_with(begin))"#,
            r#"name.starts_with("zero")"#,
            r#"name.starts_with("image-")"#,
            r#"name.strip_prefix("forced.")"#,
            r#"name.starts_with(["zero", "x"])"#,
            r#"text.split_once("noise:")"#,
            r#"name == "noise:0.3""#,
            r#"name.ends_with("@image-hidden")"#,
            r#"cell == "base/oracle""#,
            r#"names.contains(&"zero")"#,
            r#"matches!(name, "x" | "zero")"#,
            r#"matches!(x.kind(), Some("zero") if y)"#,
            "match x { \"zero\" => 1, _ => 2 }",
            "match x { \"x\"\n | \"zero\" => 1, _ => 2 }",
            "match x { Some(\"zero\") => 1, _ => 2 }",
            "match x { (\"zero\", _) | (_, \"zero\") => 1, _ => 2 }",
            "match x { \"zero\" if y => 1, _ => 2 }",
            "match x { [\"zero\", ..] => 1, _ => 2 }",
            r#"if let Some("zero") = name {"#,
            r#"let Some(("zero", rest)) = split else { return };"#,
        ] {
            assert!(!words_of(code).is_empty(), "{code}");
        }
        assert_eq!(words_of(r#"a == "base" && b == "oracle""#), ["base", "oracle"]);
        assert_eq!(words_of(r#"x.contains("no latents ")"#), ["no latents ran"]);
    }

    #[test]
    fn other_uses_are_left_alone() {
        for code in [
            r#"// == "zero""#,
            r#"let text = "zero";"#,
            r#"assert!(text.contains("bypassed"))"#,
            r#"assert!(lines.any(|line| line.starts_with("zero")))"#,
            r#"assert_eq!(row.action.to_string(), "zero");"#,
            r#"row.action == of("zero")"#,
            r#"if x == y { "zero" } else { "mean" }"#,
            "match x { A => \"zero\", B => \"mean\" }",
            "match x { A => (\"zero\", 1), B => (\"mean\", 2) }",
            "match x { A => f(\"zero\"),\n B => g(\"mean\") }",
            "match x { A if f(\"zero\") => 1, B => 2 }",
            r#"table(&["zero", "mean"], &rows)"#,
            r#"["zero", "mean"].map(String::from)"#,
            r#"json!({"zero": 1, "mean": x == 2})"#,
            r#"#[arg(default_value = "zero", value_name = "mean")]"#,
            r#"text.contains("zero latents")"#,
            r#"name == "zeros""#,
        ] {
            assert!(words_of(code).is_empty(), "{code}");
        }
    }
}
