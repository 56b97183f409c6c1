//! The generated text with its latent steps drawn where they stood.
//!
//! While the block lasts every forward still appends its likeliest token, which is not read
//! (method, section 4): after a start token come the token that the start token's forward
//! made and those of the latent forwards, and at the place of the first K of them a latent
//! was fed in. What each latent forward made is in the records (the logit lens), so the
//! place is found, not guessed; where the text does not hold those tokens in a row, the
//! latents stand after the start token and the page says so. [`Laid`] is the text as it is read, token by token, so that
//! two texts can be told apart at the first piece that differs.

use maud::{Markup, html};
use prism_run::records::LatentRow;

use super::cut;
use prism_report::document::form::Unit;
use prism_report::document::html::Safe;
use prism_report::document::{Cell, Form};

/// Longest text that is looked through and shown, in characters.
const LONGEST: usize = 6000;
/// How the norm on a chip is written.
const NORM: Form = Form::Number { unit: Unit::Plain, digits: 1, signed: false };
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

/// A token or a word that was read, or a latent.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece<'a> {
    /// Read.
    Read(&'a str),
    /// A latent, and the token generated at its place where it is known.
    Latent(&'a LatentRow, Option<&'a str>),
}

impl Piece<'_> {
    /// Bytes of the text that it stands for.
    fn length(&self) -> usize {
        match self {
            Piece::Read(text) | Piece::Latent(_, Some(text)) => text.len(),
            Piece::Latent(_, None) => 0,
        }
    }
}

/// A text in pieces.
#[derive(Debug, Clone, PartialEq)]
pub struct Laid<'a> {
    /// The text, cut.
    text: &'a str,
    /// In their order; together they are the text.
    pub pieces: Vec<Piece<'a>>,
    /// Whether every latent's place was found.
    pub found: bool,
    /// Characters that were cut off.
    pub left: usize,
}

impl<'a> Laid<'a> {
    /// At most `most` characters of a text, with its latents.
    pub fn new(text: &'a str, steps: &[&'a LatentRow], most: usize) -> Self {
        let (text, left) = cut(text, most.min(LONGEST));
        let (parts, found) = parts(text, &steps[..steps.len().min(super::steps::MOST_STEPS)]);
        let mut pieces = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => pieces.extend(words(text).into_iter().map(Piece::Read)),
                Part::Latent(step, token) => pieces.push(Piece::Latent(step, token)),
            }
        }
        Self { text, pieces, found, left }
    }

    /// The first piece of each of two texts that differs, of all that was generated, whether it was read or not; where one
    /// text ends before the other, its end.
    pub fn first_difference(&self, other: &Laid<'_>) -> Option<(usize, usize)> {
        let (own, their) = (words(self.text), words(other.text));
        let shared = own.iter().zip(&their).take_while(|(a, b)| a == b).count();
        // Of a text that was cut it is not known how it goes on.
        let ends = |words: &[&str], left: usize| words.len() == shared && left > 0;
        if (shared == own.len() && shared == their.len()) || ends(&own, self.left) || ends(&their, other.left) {
            return None;
        }
        let offset: usize = own.iter().take(shared).map(|word| word.len()).sum();
        Some((self.piece_at(offset), other.piece_at(offset)))
    }

    /// The piece that holds the byte there; one after the last at the text's end.
    fn piece_at(&self, offset: usize) -> usize {
        let mut end = 0;
        let holds = |piece: &Piece<'_>| {
            end += piece.length();
            end > offset
        };
        self.pieces.iter().position(holds).unwrap_or(self.pieces.len())
    }

    /// The text. The piece at `mark` is marked; latents lead to their steps where these are on the page.
    pub fn html(&self, mark: Option<usize>, leads: bool) -> Markup {
        html! {
            p.generated dir="auto" {
                @for (place, piece) in self.pieces.iter().enumerate() {
                    @if mark == Some(place) { mark data-first title="the first difference" { (written(piece, leads)) } }
                    @else { (written(piece, leads)) }
                }
                @if mark == Some(self.pieces.len()) { mark data-first title="the first difference" { "(ends here)" } }
            }
            @if self.left > 0 { p.rest { (self.left) " more characters are not shown; the whole text is in records/answers.parquet." } }
        }
    }
}

/// Text in tokens and words: special tokens whole, a space with the word after it, anything else by itself.
fn words(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let begin = usize::from(first == ' ');
        let word = rest[begin..].find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len() - begin);
        let end = match special(rest) {
            Some(end) => end,
            None if word > 0 => begin + word,
            None => first.len_utf8(),
        };
        all.push(&rest[..end]);
        rest = &rest[end..];
    }
    all
}

/// Where the special token at the begin of a text ends.
fn special(text: &str) -> Option<usize> {
    text.strip_prefix("<|")?;
    text.find("|>").map(|end| end + 2)
}

fn written(piece: &Piece<'_>, leads: bool) -> Markup {
    html! {
        @match piece {
            Piece::Read("\n") => span.special { "↵" },
            Piece::Read(text) if special(text).is_some() => span.special { (Safe(text)) },
            Piece::Read(text) => (Safe(text)),
            Piece::Latent(step, token) => (chip(step, *token, leads)),
        }
    }
}

/// A latent: its stage, its place in the stage, the norm of what was fed back.
fn chip(step: &LatentRow, token: Option<&str>, leads: bool) -> Markup {
    let (stage, n) = (step.stage, step.step);
    let norm = NORM.write(&Cell::number(step.norm).value);
    let mut title = format!("{stage} step {n}, norm {norm}");
    if let Some(token) = token {
        title = format!("{title}; generated here and not read: {token}");
    }
    let inner = html! { (stage) " " (n) small { (norm) } };
    html! {
        @if leads { a class={ "chip " (stage) } href={ "#step-" (stage) "-" (n) } title=(Safe(&title)) { (inner) } }
        @else { span class={ "chip " (stage) } title=(Safe(&title)) { (inner) } }
    }
}

/// What is said below a text with latents.
pub fn explained(laid: &Laid<'_>, any: bool) -> &'static str {
    match (any, laid.found) {
        (false, _) => "No latent ran, or the records hold no steps.",
        (true, true) => {
            "A chip is a latent step: its stage, its place in the stage, and the norm of the vector that was fed back there in place of the \
             token generated."
        }
        (true, false) => {
            "A chip is a latent step: its stage, its place in the stage, and the norm of the vector fed back. This text does not tell where \
             each stood: the chips stand after the token that opens the block, and the text holds the tokens generated meanwhile, which were \
             not read."
        }
    }
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
        let laid = Laid::new("<|lvr_start|>\"><script>alert(1)</script><|lvr_end|>", &[&steps[0]], LONGEST);
        for leads in [true, false] {
            let page = laid.html(Some(1), leads).into_string();
            assert!(!page.contains("<script") && page.contains("data-first"), "{page}");
        }
    }

    #[test]
    fn text_is_read_in_tokens_and_words() {
        assert_eq!(words("<|a_b|>Élan vital, 12.\n<| x"), ["<|a_b|>", "Élan", " vital", ",", " 12", ".", "\n", "<", "|", " x"]);
        assert_eq!(words("a  b"), ["a", " ", " b"]);
    }

    #[test]
    fn the_first_difference_is_of_all_that_was_generated() {
        let text = |end: &str| format!("<|tgt_start|>{end}<|tgt_end|>");
        let (own, other) = (text("<|lvr|> x B"), text("<|pad|> y B"));
        let steps = |first: &str| [step(Stage::Target, 0, first), step(Stage::Target, 1, " B")];
        let (mine, theirs) = (steps(" x"), steps(" y"));
        let whole = own.clone();
        let own = Laid::new(&own, &mine.iter().collect::<Vec<_>>(), LONGEST);
        let other = Laid::new(&other, &theirs.iter().collect::<Vec<_>>(), LONGEST);
        assert!(own.found && other.found);
        assert_eq!(own.first_difference(&other), Some((1, 1)), "the token at the first latent's place");
        let unknown = Laid::new(&whole, &[], LONGEST);
        assert_eq!(own.first_difference(&unknown), None, "it is the same text, whether or not its latents are known");
        let plain = |text: &'static str| Laid::new(text, &[], LONGEST);
        assert_eq!(plain("the answer is B").first_difference(&plain("the answer is C")), Some((3, 3)));
        assert_eq!(plain("the answer").first_difference(&plain("the answer is C")), Some((2, 2)));
        // What was cut may go on the same.
        assert_eq!(Laid::new("the answer is C", &[], 10).first_difference(&plain("the answer is C")), None);
    }
}
