//! The letter a reader would still see in an answer whose form is broken. The method reads what stands behind the last
//! `<answer>`; damage that loses that word alone loses a readable choice with it. Findings that use this are named so, and are
//! a second look at verdicts, never what they rest on.

use prism_run::records::AnswerRow;

/// What ends an answer.
const CLOSING: &str = "</answer>";

/// The letter of an answer: as parsed, else [`letter`] of its text, if it is one of the options (where their number is known).
pub fn read(answer: &AnswerRow) -> Option<String> {
    let is_option = |letter: &char| match &answer.option_logprobs {
        Some(options) => ('A'..='Z').take(options.len()).any(|option| option == *letter),
        None => true,
    };
    answer.answer.clone().or_else(|| letter(&answer.text).filter(is_option).map(String::from))
}

/// A single capital letter that stands alone right before the last `</answer>`; special tokens are passed over.
pub fn letter(text: &str) -> Option<char> {
    let before = &text[..text.rfind(CLOSING)?];
    let mut plain = String::with_capacity(before.len());
    let mut rest = before;
    while let Some((word, token)) = rest.split_once("<|") {
        plain.push_str(word);
        plain.push(' ');
        rest = token.split_once("|>").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    let last = plain.split_whitespace().next_back()?.trim_matches(|c: char| !c.is_alphanumeric());
    let mut letters = last.chars();
    letters.next().filter(|c| c.is_ascii_uppercase() && letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::letter;

    #[test]
    fn a_letter_is_read_where_a_reader_would_read_one() {
        assert_eq!(letter("B B B B </answer><|im_end|>"), Some('B'));
        assert_eq!(letter("the triangle A </answer>"), Some('A'));
        assert_eq!(letter("<|lvr_end|>\n(C).</answer>"), Some('C'));
        assert_eq!(letter("A </answer> D <|lvr_end|></answer><|im_end|>"), Some('D'));
    }

    #[test]
    fn what_is_no_letter_is_not_read() {
        for text in ["", "</answer>", "a triangle </answer>", "A triangle", "AB </answer>", "<|lvr_start|>", "7 </answer>", "it is A"] {
            assert_eq!(letter(text), None, "{text}");
        }
    }
}
