//! Numbers of a text.

/// The numbers that stand by themselves: no part of a name, a word, a version or a date.
pub fn numbers(text: &str) -> Vec<String> {
    let outside = |c: char| matches!(c, ',' | '.' | ';' | ':' | '(' | ')' | '[' | ']' | '“' | '”' | '"' | '’' | '…' | '—' | '%');
    let number = |word: &str| -> Option<String> {
        let word = word.trim_matches(outside);
        let digits = word.trim_start_matches(['±', '<', '~']).trim_start_matches(['+', '−', '-']);
        let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.') && digits.chars().any(|c| c.is_ascii_digit());
        (plain && digits.matches('.').count() <= 1).then(|| word.to_string())
    };
    text.split(|c: char| c.is_whitespace() || matches!(c, '–' | '=')).filter_map(number).collect()
}

/// What a number says, whatever its minus sign is.
pub fn value(number: &str) -> Option<f64> {
    number.replace('−', "-").parse().ok()
}
