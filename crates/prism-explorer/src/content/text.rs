//! The generated text with its latent steps drawn where they stood.
//!
//! While the block lasts every forward still appends its likeliest token, which is not read
//! (method, section 4): after a start token come the token that the start token's forward
//! made and those of the latent forwards, and at the place of the first K of them a latent
//! was fed in. What each latent forward made is in the records (the logit lens), so the
//! place is found, not guessed; where the text does not hold those tokens in a row, the
//! latents stand behind the start token and the page says so.

use std::fmt::Write;

use prism_run::records::LatentRow;

use super::cut;
use prism_report::html::escape;
use prism_report::number;

/// Longest text that is looked through and shown, in characters.
const LONGEST: usize = 6000;
/// Longest first token of a block that is not a special one, in characters.
const LONGEST_TOKEN: usize = 48;

/// Part of the text.
#[derive(Debug, Clone, PartialEq)]
pub enum Part<'a> {
    /// Tokens that were read.
    Text(&'a str),
    /// A latent, and the token generated at its place where it is known.
    Latent(&'a LatentRow, Option<&'a str>),
}

/// The text in parts; the second value is whether every latent's place was found.
pub fn parts<'a>(text: &'a str, steps: &[&'a LatentRow]) -> (Vec<Part<'a>>, bool) {
    let mut parts = Vec::new();
    let mut at = 0;
    let mut left = steps;
    while !left.is_empty() {
        let Some(begin) = opening(text, at) else { break };
        parts.push(Part::Text(&text[at..begin]));
        at = begin;
        let Some(tokens) = sizes(left).find_map(|n| unread(&text[begin..], &left[..n])) else { break };
        parts.extend(left.iter().zip(&tokens).map(|(step, token)| Part::Latent(step, Some(token))));
        at += tokens.iter().map(|t| t.len()).sum::<usize>();
        left = &left[tokens.len()..];
    }
    parts.extend(left.iter().map(|step| Part::Latent(step, None)));
    if at < text.len() {
        parts.push(Part::Text(&text[at..]));
    }
    (parts, left.is_empty())
}

/// How many of the steps may follow one another without a token that was read: up to where
/// the stage changes, most first, then any number. A block can begin within another, for the
/// tokens that are not read still open blocks.
fn sizes(steps: &[&LatentRow]) -> impl Iterator<Item = usize> {
    let mut ends: Vec<usize> = (1..=steps.len()).filter(|n| steps.get(*n).is_none_or(|next| next.stage != steps[n - 1].stage)).collect();
    ends.reverse();
    ends.into_iter().chain((1..=steps.len()).rev())
}

/// Where the next start token of a latent block ends.
fn opening(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(begin) = text[at..].find("<|").map(|i| at + i) {
        let end = begin + 2 + text[begin + 2..].find("|>")? + 2;
        let name = &text[begin + 2..end - 2];
        if name.ends_with("_start") && !matches!(name, "im_start" | "vision_start" | "free_start") {
            return Some(end);
        }
        at = begin + 2;
    }
    None
}

/// The tokens at the places of a block's latents: the one before those of the lens, and
/// all of the lens but the last, which is read.
fn unread<'a>(text: &'a str, block: &[&LatentRow]) -> Option<Vec<&'a str>> {
    let made: Vec<&str> = block.iter().map(|s| s.lens_token.as_deref()).collect::<Option<_>>()?;
    if made.iter().fold(0usize, |sum, token| sum.saturating_add(token.len())) > text.len() {
        return None;
    }
    let row = made.concat();
    if row.is_empty() {
        return None;
    }
    let first = if text.starts_with("<|") {
        Some(text.find("|>")? + 2).filter(|end| text[*end..].starts_with(&row))
    } else {
        text.char_indices().skip(1).take(LONGEST_TOKEN).map(|(i, _)| i).find(|end| text[*end..].starts_with(&row))
    }?;
    let mut tokens = vec![&text[..first]];
    let mut at = first;
    for token in &made[..made.len() - 1] {
        tokens.push(&text[at..at + token.len()]);
        at += token.len();
    }
    Some(tokens)
}

/// The text as HTML, latents as chips that lead to their steps.
pub fn html(text: &str, steps: &[&LatentRow]) -> String {
    let (shown, left) = cut(text, LONGEST);
    let (parts, found) = parts(shown, &steps[..steps.len().min(super::steps::MOST_STEPS)]);
    let mut out = String::from("<p class=\"generated\">");
    for part in &parts {
        match part {
            Part::Text(text) => out.push_str(&marked(text)),
            Part::Latent(step, token) => {
                let token = token.map_or_else(String::new, |t| format!("; generated here and not read: {t}"));
                let _ = write!(
                    out,
                    "<a class=\"chip {stage}\" href=\"#step-{stage}-{n}\" title=\"{stage} step {n}, norm {norm}{}\">{stage} {n}<small>{norm}</small></a>",
                    escape(&token),
                    stage = step.stage,
                    n = step.step,
                    norm = number::decimal(Some(step.norm), 1)
                );
            }
        }
    }
    out.push_str("</p>");
    if left > 0 {
        let _ = write!(out, "<p class=\"rest\">{left} more characters are not shown; the whole text is in records/answers.parquet.</p>");
    }
    if steps.is_empty() {
        out.push_str("<p class=\"rest\">No latent ran, or the records hold no steps.</p>");
    } else if found {
        out.push_str("<p class=\"rest\">A chip is a latent step: its stage, its place in the stage, and the norm of the vector that was fed back there in place of the token generated.</p>");
    } else {
        out.push_str("<p class=\"rest\">A chip is a latent step: its stage, its place in the stage, and the norm of the vector fed back. Where exactly each stood is not to be told from this text: the chips stand behind the token that opens the block, and the text holds the tokens generated meanwhile, which were not read.</p>");
    }
    out
}

/// Text with its special tokens set apart and its line ends visible.
fn marked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find("<|") {
        let Some(length) = rest[begin..].find("|>") else { break };
        let end = begin + length + 2;
        let _ = write!(out, "{}<span class=\"special\">{}</span>", escape(&rest[..begin]), escape(&rest[begin..end]));
        rest = &rest[end..];
    }
    out.push_str(&escape(rest));
    out.replace('\n', "<span class=\"special\">↵</span>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use prism_run::{Intervention, Stage};

    fn step(stage: Stage, step: usize, token: &str) -> LatentRow {
        LatentRow {
            row: 0,
            intervention: Intervention::CLEAN,
            stage,
            step,
            norm: 1.0,
            clean_cosine: None,
            previous_cosine: None,
            end_cosine: None,
            lens_token: Some(token.into()),
            lens_probability: None,
            lens_entropy: None,
            lens_gold: None,
        }
    }

    #[test]
    fn brackets_without_a_name_open_nothing() {
        assert_eq!(opening("<|> and <|><|x_start|>", 0), Some(22));
        assert_eq!(opening("<|>", 0), None);
    }

    #[test]
    fn latents_stand_where_their_tokens_were_not_read() {
        let text = "a<|ctx_start|> x y z<|ctx_end|><|tgt_start|><|lvr|> B<|tgt_end|>\n<answer> B";
        let steps = [
            step(Stage::Context, 0, " y"),
            step(Stage::Context, 1, " z"),
            step(Stage::Context, 2, "<|ctx_end|>"),
            step(Stage::Target, 0, " B"),
        ];
        let (parts, found) = parts(text, &steps.iter().collect::<Vec<_>>());
        assert!(found);
        let expected = vec![
            Part::Text("a<|ctx_start|>"),
            Part::Latent(&steps[0], Some(" x")),
            Part::Latent(&steps[1], Some(" y")),
            Part::Latent(&steps[2], Some(" z")),
            Part::Text("<|ctx_end|><|tgt_start|>"),
            Part::Latent(&steps[3], Some("<|lvr|>")),
            Part::Text(" B<|tgt_end|>\n<answer> B"),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn a_block_that_begins_within_another_is_one_row_of_latents() {
        let end = "<|lvr_latent_end|>";
        let text = format!("<|ctx_start|><|tgt_start|>{}<|ctx_end|><|tgt_start|>{}<|tgt_end|>", end.repeat(4), end.repeat(3));
        let stages = [(Stage::Context, 0), (Stage::Target, 0), (Stage::Context, 1), (Stage::Target, 1), (Stage::Target, 2)];
        let steps: Vec<LatentRow> = stages.iter().map(|(stage, n)| step(*stage, *n, end)).collect();
        let (parts, found) = parts(&text, &steps.iter().collect::<Vec<_>>());
        assert!(found);
        let expected = vec![
            Part::Text("<|ctx_start|>"),
            Part::Latent(&steps[0], Some("<|tgt_start|>")),
            Part::Latent(&steps[1], Some(end)),
            Part::Latent(&steps[2], Some(end)),
            Part::Text("<|lvr_latent_end|><|lvr_latent_end|><|ctx_end|><|tgt_start|>"),
            Part::Latent(&steps[3], Some(end)),
            Part::Latent(&steps[4], Some(end)),
            Part::Text("<|lvr_latent_end|><|tgt_end|>"),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn text_that_does_not_hold_the_tokens_is_kept_whole() {
        let text = "<|lvr_start|>élan";
        let steps = [step(Stage::Target, 0, "other")];
        let (parts, found) = parts(text, &[&steps[0]]);
        assert!(!found);
        assert_eq!(parts, vec![Part::Text("<|lvr_start|>"), Part::Latent(&steps[0], None), Part::Text("élan")]);
        let (parts, found) = super::parts("no block", &[&steps[0]]);
        assert!(!found && parts.contains(&Part::Text("no block")));
    }

    #[test]
    fn hostile_text_is_inert_in_chips_too() {
        let steps = [step(Stage::Target, 0, "\"><script>")];
        let page = html("<|lvr_start|>\"><script>alert(1)</script><|lvr_end|>", &[&steps[0]]);
        assert!(!page.contains("<script"), "{page}");
    }
}
