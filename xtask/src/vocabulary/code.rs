//! Rust code as a list of words, texts and signs, and which bracket each stands in.

/// What code is made of. Comments, spaces, characters and lifetimes are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// A name, a keyword or a number.
    Word(&'a str),
    /// What stands between the quotes of a string.
    Text(&'a str),
    /// Everything else; the empty sign stands before the first token and after the last.
    Sign(&'a str),
}

/// Signs of more than one character, the longer first.
const SIGNS: [&str; 11] = ["..=", "==", "!=", "=>", "->", "<=", ">=", "&&", "||", "::", ".."];

/// The tokens of a file.
pub struct Code<'a> {
    /// Each with its line, counted from 1.
    tokens: Vec<(Token<'a>, usize)>,
    /// The bracket that opens around each token; of a bracket, the one around it.
    within: Vec<Option<usize>>,
    /// Of a bracket the other one; 0 of everything else.
    pair: Vec<usize>,
}

impl<'a> Code<'a> {
    /// Reads a file.
    pub fn new(text: &'a str) -> Self {
        let tokens = tokens(text);
        let (mut within, mut pair, mut open) = (vec![None; tokens.len()], vec![0; tokens.len()], Vec::new());
        for (at, (token, _)) in tokens.iter().enumerate() {
            if matches!(token, Token::Sign(")" | "]" | "}"))
                && let Some(start) = open.pop()
            {
                (pair[start], pair[at]) = (at, start);
            }
            within[at] = open.last().copied();
            if matches!(token, Token::Sign("(" | "[" | "{")) {
                open.push(at);
            }
        }
        Self { tokens, within, pair }
    }

    /// Every text: its place, its line and what it says.
    pub fn texts(&self) -> impl Iterator<Item = (usize, usize, &'a str)> {
        self.tokens.iter().enumerate().filter_map(|(at, (token, line))| match token {
            Token::Text(text) => Some((at, *line, *text)),
            Token::Word(_) | Token::Sign(_) => None,
        })
    }

    /// The token at a place.
    pub fn token(&self, at: usize) -> Token<'a> {
        self.tokens.get(at).map_or(Token::Sign(""), |(token, _)| *token)
    }

    /// The sign at a place; empty where none stands.
    pub fn sign(&self, at: usize) -> &'a str {
        if let Token::Sign(sign) = self.token(at) { sign } else { "" }
    }

    /// The word at a place; empty where none stands.
    pub fn word(&self, at: usize) -> &'a str {
        if let Token::Word(word) = self.token(at) { word } else { "" }
    }

    /// The bracket that closes what opens here, or opens what closes here.
    pub fn pair(&self, at: usize) -> usize {
        self.pair.get(at).copied().unwrap_or(0)
    }

    /// The bracket that opens around a place.
    pub fn within(&self, at: usize) -> Option<usize> {
        self.within.get(at).copied().flatten()
    }

    /// All brackets that open around a place, the innermost first.
    pub fn around(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.within(at), move |open| self.within(*open))
    }

    /// Name of the macro whose arguments a bracket opens; empty where it opens something else.
    pub fn macro_of(&self, open: usize) -> &'a str {
        if open > 1 && self.sign(open - 1) == "!" { self.word(open - 2) } else { "" }
    }
}

fn tokens(text: &str) -> Vec<(Token<'_>, usize)> {
    let mut found = vec![(Token::Sign(""), 0)];
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, token) = next(rest, first);
        found.extend(token.map(|token| (token, line)));
        let (read, left) = rest.split_at(length);
        line += read.matches('\n').count();
        rest = left;
    }
    found.push((Token::Sign(""), line));
    found
}

/// Length of what stands at the start of `rest`, and its token if it is one.
fn next(rest: &str, first: char) -> (usize, Option<Token<'_>>) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), None);
    }
    if rest.starts_with("/*") {
        return (rest.find("*/").map_or(rest.len(), |end| end + 2), None);
    }
    if let Some((length, text)) = string(rest) {
        return (length, Some(Token::Text(text)));
    }
    if first == '\'' {
        return (character(rest), None);
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if is_word(first) {
        let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        return (length, Some(Token::Word(&rest[..length])));
    }
    let length = SIGNS.iter().find(|sign| rest.starts_with(**sign)).map_or(first.len_utf8(), |sign| sign.len());
    (length, (!first.is_whitespace()).then(|| Token::Sign(&rest[..length])))
}

/// A string at the start of `rest`: its whole length, and what stands between its quotes.
fn string(rest: &str) -> Option<(usize, &str)> {
    let quoted = rest.trim_start_matches(['b', 'c', 'r']);
    let is_raw = rest[..rest.len() - quoted.len()].contains('r');
    let hashes = quoted.len() - quoted.trim_start_matches('#').len();
    let text = quoted[hashes..].strip_prefix('"').filter(|_| is_raw || hashes == 0)?;
    let mut escaped = false;
    let length = if is_raw {
        text.find(&format!("\"{}", "#".repeat(hashes)))
    } else {
        text.find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })
    }?;
    Some((rest.len() - text.len() + length + 1 + hashes, &text[..length]))
}

/// Length of a character, or of the mark of a lifetime.
fn character(rest: &str) -> usize {
    let mut behind = rest.chars().skip(1);
    match (behind.next(), behind.next()) {
        (Some('\\'), Some(escaped)) => {
            let from = 2 + escaped.len_utf8();
            rest[from..].find('\'').map_or(1, |end| from + end + 1)
        }
        (Some(one), Some('\'')) => 2 + one.len_utf8(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_from_comments_characters_and_lifetimes() {
        let code = r####"
            // "not this"
            fn f<'a>(x: &'a str, q: char) -> bool {
                /* "nor this" */ q == '"' || q == '\'' || q == '\u{22}' || x == "a \" b"
                    || x == r#"c "d" e"# || x == b"f" || x == "über 'g'"
            }
        "####;
        let code = Code::new(code);
        let texts: Vec<(usize, &str)> = code.texts().map(|(_, line, text)| (line, text)).collect();
        assert_eq!(texts, [(4, r#"a \" b"#), (5, r#"c "d" e"#), (5, "f"), (5, "über 'g'")]);
    }

    #[test]
    fn brackets_know_each_other() {
        let code = Code::new(r#"matches!(f(x), Some("y"))"#);
        let (at, ..) = code.texts().next().unwrap();
        let around: Vec<usize> = code.around(at).collect();
        assert_eq!(around.len(), 2);
        assert_eq!((code.word(around[0] - 1), code.macro_of(around[1])), ("Some", "matches"));
        assert!(around.iter().all(|open| code.sign(code.pair(*open)) == ")" && code.pair(code.pair(*open)) == *open));
    }
}
