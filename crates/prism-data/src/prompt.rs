//! The text of a multiple-choice question (method, section 4).

/// Closes every multiple-choice prompt.
pub const INSTRUCTION: &str = "Answer with the option's letter from the given choices directly.";

/// Letters of options: `A`, `B`, ... at most 26.
pub fn letter(index: usize) -> Option<char> {
    u8::try_from(index).ok().filter(|i| *i < 26).map(|i| char::from(b'A' + i))
}

/// The user's text: question, lettered options, a blank line, the instruction.
/// Without options it is the question as it stands.
pub fn multiple_choice(question: &str, options: &[String]) -> String {
    if options.is_empty() {
        return question.to_string();
    }
    format!("{question}\nOptions:\n{}\n{INSTRUCTION}", option_lines(options))
}

/// One `A. text` a line, each line ended.
pub fn option_lines(options: &[String]) -> String {
    let mut text = String::new();
    for (option, index) in options.iter().zip(0..) {
        text.push(letter(index).unwrap_or('?'));
        text.push_str(". ");
        text.push_str(option);
        text.push('\n');
    }
    text
}

/// The answer as a model is taught to write it: `<answer> C </answer>`.
pub fn answer_text(answer: &str) -> String {
    format!("<answer> {answer} </answer>")
}

/// The options of a prompt written by [`multiple_choice`] or with `(A) red` lines, in
/// letter order; empty when it has none.
pub fn options_of(prompt: &str) -> Vec<String> {
    let mut options = Vec::new();
    for line in prompt.lines() {
        let Some(expected) = letter(options.len()) else { break };
        let line = line.trim();
        let bare = line.strip_prefix('(').unwrap_or(line);
        let rest = bare.strip_prefix(expected).and_then(|rest| match line.starts_with('(') {
            true => rest.strip_prefix(')'),
            false => rest.strip_prefix('.').or_else(|| rest.strip_prefix(')')),
        });
        if let Some(rest) = rest {
            options.push(rest.trim().to_string());
        }
    }
    if options.len() < 2 { Vec::new() } else { options }
}

/// The letter an answer text gives: what stands between the last `<answer>` and
/// `</answer>`, or the whole text without such marks, trimmed.
pub fn answer_of(text: &str) -> &str {
    let inner = text.rsplit_once("<answer>").map_or(text, |(_, rest)| rest);
    inner.split_once("</answer>").map_or(inner, |(inside, _)| inside).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_the_round_trip() {
        let options: Vec<String> = ["red", "dark blue", "A. odd", "no"].map(String::from).to_vec();
        let prompt = multiple_choice("Which?", &options);
        assert_eq!(
            prompt,
            "Which?\nOptions:\nA. red\nB. dark blue\nC. A. odd\nD. no\n\nAnswer with the option's letter from the given choices directly."
        );
        assert_eq!(options_of(&prompt), options);
        assert_eq!(options_of("What?\n(A) rubber\n(B) cotton\nAnswer directly."), ["rubber", "cotton"]);
        assert_eq!(multiple_choice("Why?", &[]), "Why?");
        assert!(options_of("A dog. And\nB").is_empty());
    }

    #[test]
    fn the_answer_is_found() {
        assert_eq!(answer_of("<lvr>\n<answer> C </answer>"), "C");
        assert_eq!(answer_of(" red "), "red");
        assert_eq!(answer_of("<answer> a </answer> no, <answer> b"), "b");
    }
}
