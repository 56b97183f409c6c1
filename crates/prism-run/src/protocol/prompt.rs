//! How a method's runner lays out a prompt, where that differs from the checkpoint's chat template
//! over "images, then the text".

use serde::{Deserialize, Serialize};

use super::rules::is_default;

/// Where the images stand in the user's turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImagesAt {
    /// Before the text.
    #[default]
    First,
    /// Behind the text.
    Last,
    /// Where the text says `<image>`, all of them; before the text where it does not.
    Marker,
}

/// Rotary positions of the prompt and of what follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// The family's: image tokens on a grid.
    #[default]
    Grid,
    /// 0, 1, 2 and so on for every token, image tokens included.
    Plain,
}

/// The marker of [`ImagesAt::Marker`].
pub const IMAGE: &str = "<image>";

/// The layout of a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptLayout {
    /// Text of the system turn; absent: the template's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Where the images stand.
    #[serde(default, skip_serializing_if = "is_default")]
    pub images: ImagesAt,
    /// The words around a bare question: `{question}` is the whole of it, `{stem}` what stands before
    /// its options and `{options}` its options, a line each. A question that has a benchmark's own
    /// words around it is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// A line of `{options}`: `{letter}` and `{option}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<String>,
    /// Text before the whole prompt, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Text in the place of what the template writes to have the assistant begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rotary positions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub positions: Positions,
}

/// The line that stands before options in a question.
const OPTIONS: &str = "\nOptions:\n";

impl PromptLayout {
    /// The user's text of a bare question, whose `options` are given where they are known.
    pub fn wrap(&self, question: &str, options: &[String]) -> String {
        let Some(words) = &self.question else { return question.to_string() };
        let stem = question.split_once(OPTIONS).map_or(question, |(stem, _)| stem);
        let form = self.option.as_deref().unwrap_or("{letter}. {option}");
        let line = |(letter, option): (char, &String)| filled(form, &[("letter", &letter.to_string()), ("option", option)]);
        let lines: Vec<String> = ('A'..='Z').zip(options).map(line).collect();
        filled(words, &[("question", question), ("stem", stem), ("options", &lines.join("\n"))])
    }
}

/// `form` with every `{name}` replaced, in one pass: what is put in is not looked at again.
fn filled(form: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(form.len());
    let mut rest = form;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let inner = &rest[open + 1..];
        let known = values.iter().find(|(name, _)| inner.strip_prefix(name).is_some_and(|behind| behind.starts_with('}')));
        match known {
            Some((name, value)) => {
                out.push_str(value);
                rest = &inner[name.len() + 1..];
            }
            None => {
                out.push('{');
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_put_around_a_question() {
        let options = ["blue".to_string(), "{stem}".to_string()];
        let question = "Which?\nOptions:\nA. blue\nB. {stem}";
        let plain = PromptLayout { question: Some("Question: {question} Put it in \\boxed{}.".into()), ..PromptLayout::default() };
        assert_eq!(plain.wrap(question, &options), format!("Question: {question} Put it in \\boxed{{}}."));
        let parts = PromptLayout {
            question: Some("[Question]:{{stem}}\n[Options]:\n{options}\nAnswer:".into()),
            option: Some("{letter}.{{option}}".into()),
            ..PromptLayout::default()
        };
        assert_eq!(parts.wrap(question, &options), "[Question]:{Which?}\n[Options]:\nA.{blue}\nB.{{stem}}\nAnswer:");
        assert_eq!(PromptLayout::default().wrap(question, &options), question);
    }
}
