//! `\boxed{B}`: what Monet, Mirage and their like are taught.

use super::letter::{leading, option_text};
use super::text::strip;
use super::{Asked, Part, Reading};

/// What opens a box.
pub const BOX: &str = "\\boxed{";
/// What the published extractor gives where no box is closed.
const NONE: &str = "None";

/// Content of the last `\boxed{`, up to the brace that ends it, stripped; `None` where no brace does. As mathruler's
/// `extract_boxed_content`, which Monet, Mirage and ILVR use.
pub(super) fn content(response: &str) -> Option<&str> {
    let inner = response.rfind(BOX).and_then(|at| response.get(at + BOX.len()..))?;
    let mut open = 0usize;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some(strip(&inner[..at])),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// The content of the last box, and the option it names: by its letter, alone or before its text, or by its text.
pub(super) fn boxed(response: &str, asked: &Asked<'_>) -> Reading {
    let Some(content) = content(response) else { return Reading::new(NONE, Part::Unread) };
    let bare = unwrapped(content);
    let letter = leading(bare, asked).or_else(|| option_text(bare, asked));
    Reading::new(content, Part::Boxed).naming(letter)
}

/// Mirage (UMass-Embodied-AGI/Mirage@53f26de, `src/test.py`): the box in what follows the last turn's beginning.
pub(super) fn mirage(response: &str, asked: &Asked<'_>) -> Reading {
    boxed(response.rsplit("<|im_start|>assistant").next().unwrap_or(response), asked)
}

/// What is left without the commands of TeX that set text in another face.
fn unwrapped(content: &str) -> &str {
    const FACES: [&str; 8] = ["\\text{", "\\textbf{", "\\textit{", "\\mathrm{", "\\mathbf{", "\\mathit{", "\\textrm{", "{"];
    let mut bare = content;
    while let Some(inner) = FACES.iter().find_map(|face| bare.strip_prefix(face)).and_then(|inner| inner.strip_suffix('}')) {
        bare = strip(inner);
    }
    bare.strip_prefix('$').and_then(|inner| inner.strip_suffix('$')).map_or(bare, strip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_names_its_option_by_letter_or_text() {
        let options = ["a red car".to_string(), "blue".to_string()];
        let asked = Asked::of("", &options);
        for (response, letter) in [
            ("so \\boxed{B}.", Some('B')),
            ("\\boxed{\\text{(a)}}", Some('A')),
            ("\\boxed{\\textbf{B. blue}}", Some('B')),
            ("\\boxed{$b$}", Some('B')),
            ("\\boxed{Blue}", Some('B')),
            ("\\boxed{A} or \\boxed{green}", None),
            ("\\boxed{C}", None),
        ] {
            assert_eq!(boxed(response, &asked).letter, letter, "{response}");
        }
    }
}
