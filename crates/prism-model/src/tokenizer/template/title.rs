//! Python's `str.title`: the first letter of every run of letters with case becomes a title letter, the others small.
//! Source: the Unicode Standard, section 3.13, and `SpecialCasing.txt`; held against Python (`oracle/titles.py`).

/// The text with a title letter wherever a letter with case follows what has none.
pub(super) fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match inside {
            true => push_small(&text[at..], c, &mut out),
            false => push_title(c, &mut out),
        }
        inside = has_case(c);
    }
    out
}

/// Letters that have a small or a great form, or are title letters themselves. Chinese letters have no case: what follows one begins a word.
fn has_case(c: char) -> bool {
    let is_title = matches!(c, '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}' | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}')
        || matches!(c, '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}');
    c.is_lowercase() || c.is_uppercase() || is_title
}

/// The small form of `c`, with which `rest` begins; a sigma that ends a word has one of its own.
fn push_small(rest: &str, c: char, out: &mut String) {
    match c {
        // What stands before is a letter with case; the library looks at what follows.
        'Σ' => out.extend(format!("a{rest}").to_lowercase().chars().nth(1)),
        _ => out.extend(c.to_lowercase()),
    }
}

fn push_title(c: char, out: &mut String) {
    const IOTA: char = '\u{399}';
    const IOTA_BELOW: char = '\u{345}';
    match c {
        'Ǆ'..='ǆ' => out.push('ǅ'),
        'Ǉ'..='ǉ' => out.push('ǈ'),
        'Ǌ'..='ǌ' => out.push('ǋ'),
        'Ǳ'..='ǳ' => out.push('ǲ'),
        // Georgian has great letters, and no title letters.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => out.push(c),
        // Greek letters with an iota: one title letter for a small and a great one, the great one eight places on.
        '\u{1f80}'..='\u{1faf}' => out.extend(char::from_u32(u32::from(c) | 8)),
        '\u{1fb3}' | '\u{1fbc}' => out.push('\u{1fbc}'),
        '\u{1fc3}' | '\u{1fcc}' => out.push('\u{1fcc}'),
        '\u{1ff3}' | '\u{1ffc}' => out.push('\u{1ffc}'),
        '\u{1fb2}' | '\u{1fb4}' | '\u{1fb7}' | '\u{1fc2}' | '\u{1fc4}' | '\u{1fc7}' | '\u{1ff2}' | '\u{1ff4}' | '\u{1ff7}' => {
            out.extend(c.to_uppercase().map(|c| if c == IOTA { IOTA_BELOW } else { c }));
        }
        // Letters that are two or three: the first is great.
        'ß' | '\u{587}' | '\u{fb00}'..='\u{fb06}' | '\u{fb13}'..='\u{fb17}' => {
            for (place, c) in c.to_uppercase().enumerate() {
                if place == 0 { out.push(c) } else { out.extend(c.to_lowercase()) }
            }
        }
        _ => out.extend(c.to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_title_is_pythons() {
        let made: Value = serde_json::from_str(include_str!("../../../tests/fixtures/titles.json")).unwrap();
        let cases = made["titles"].as_array().unwrap();
        assert!(cases.len() > 140, "{} cases", cases.len());
        for case in cases {
            let [given, wanted] = [0, 1].map(|at| case[at].as_str().unwrap());
            assert_eq!(title(given), wanted, "{given:?}");
        }
    }
}
