//! A benchmark's prompt as data: a template over question, options and instruction.

use crate::prompt::INSTRUCTION;

/// A piece of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Question,
    Options,
    Instruction,
}

/// How a question becomes the user's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptForm {
    pieces: Vec<Piece>,
    instruction: String,
}

impl PromptForm {
    /// A form from its template, `{question}`, `{options}` and `{instruction}` standing
    /// for their texts, and an instruction (default: the paper's).
    ///
    /// # Errors
    /// A cause, when a name is unknown or repeated or the question is left out.
    pub fn parse(template: &str, instruction: Option<&str>) -> std::result::Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), template);
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            let (name, behind) = after[1..].split_once('}').ok_or("opens a brace and does not close it")?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_string()));
            }
            let piece = match name {
                "question" => Piece::Question,
                "options" => Piece::Options,
                "instruction" => Piece::Instruction,
                _ => return Err(format!("holds the unknown name `{{{name}}}`")),
            };
            if pieces.contains(&piece) {
                return Err(format!("holds `{{{name}}}` twice"));
            }
            pieces.push(piece);
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_string()));
        }
        if !pieces.contains(&Piece::Question) {
            return Err("leaves `{question}` out".into());
        }
        Ok(Self { pieces, instruction: instruction.unwrap_or(INSTRUCTION).to_string() })
    }

    /// The user's text; an open question (`options` empty) is the question as it stands.
    pub fn fill(&self, question: &str, options: &str) -> String {
        if options.is_empty() && self.pieces.contains(&Piece::Options) {
            return question.to_string();
        }
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Question => question,
                Piece::Options => options,
                Piece::Instruction => &self.instruction,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_filled_once_and_checked() {
        let form = PromptForm::parse("{question}\nOptions:\n{options}\n{instruction}", None).unwrap();
        assert_eq!(form.fill("What {options}?", "A. x\n"), format!("What {{options}}?\nOptions:\nA. x\n\n{INSTRUCTION}"));
        assert_eq!(form.fill("Why?", ""), "Why?");
        assert_eq!(PromptForm::parse("Q: {question}", Some("!")).unwrap().fill("x", ""), "Q: x");
        for (template, cause) in [
            ("{options}", "leaves `{question}` out"),
            ("{question} {query}", "unknown name `{query}`"),
            ("{question}{question}", "twice"),
            ("{question", "does not close"),
        ] {
            assert!(PromptForm::parse(template, None).unwrap_err().contains(cause));
        }
    }

    #[test]
    fn the_world_and_the_form_agree() {
        let options: Vec<String> = vec!["red".into(), "blue".into()];
        let form = PromptForm::parse("{question}\nOptions:\n{options}\n{instruction}", None).unwrap();
        assert_eq!(form.fill("Which?", &crate::prompt::option_lines(&options)), crate::prompt::multiple_choice("Which?", &options));
    }
}
