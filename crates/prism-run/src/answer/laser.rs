//! Laser's scorers (ybb6/laser@204163e, `evaluation/bench_func.py`): one for letters, one for yes and no, one for MMVP.

use super::text::{self, is_space, lone_letter, strip};
use super::{Part, Reading};

/// Words from the end of the answer in which a letter is looked for.
const LAST: usize = 10;

/// What is looked at, and which part of the rule found it.
fn given(response: &str) -> (&str, Part) {
    let (given, tagged) = text::given(response);
    (strip(given), if tagged { Part::Tag } else { Part::Letter })
}

/// Of the last ten words the last one that holds a letter A to D standing alone, in either case; else the first letter
/// or digit of the whole answer. Upper case.
pub(super) fn letter(response: &str) -> Reading {
    let (given, part) = given(response);
    let mut words = given.rsplit(is_space).filter(|word| !word.is_empty()).take(LAST);
    match words.find_map(|word| lone_letter(word, |c| c.is_ascii_alphabetic())) {
        Some(letter) => Reading::new(letter, part),
        None => {
            let first = given.chars().find(char::is_ascii_alphanumeric);
            Reading::new(first.map(|c| c.to_ascii_uppercase().to_string()).unwrap_or_default(), Part::FirstCharacter)
        }
    }
}

/// Letters and digits of a label, upper case: what [`letter`] is compared with.
pub(super) fn plain(label: &str) -> String {
    label.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// `1` where the answer holds yes, 1, true or correct; else `0` where it holds no, 0 or false; else nothing. ("incorrect"
/// holds "correct", and so is a yes, as it is there.)
pub(super) fn yes_no(response: &str) -> Reading {
    let (given, part) = given(response);
    let given = given.to_lowercase();
    let holds = |words: [&str; 4]| words.iter().any(|word| given.contains(word));
    let said = match (holds(["yes", "1", "true", "correct"]), holds(["no", "0", "false", "incorrect"])) {
        (true, _) => "1",
        (false, true) => "0",
        (false, false) => return Reading::new("", Part::Unread),
    };
    Reading::new(said, if part == Part::Tag { part } else { Part::Word })
}

/// What a label of a question of yes and no is there: the number it is, else 1 for yes and 0 for anything else.
pub(super) fn yes_no_label(label: &str) -> String {
    if !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()) {
        return label.trim_start_matches('0').to_string().parse::<u64>().map_or_else(|_| "0".into(), |n| n.to_string());
    }
    if label.eq_ignore_ascii_case("yes") { "1".into() } else { "0".into() }
}

/// MMVP has two options, so that a yes is the first and a no the second where no letter is found.
pub(super) fn mmvp(response: &str) -> Reading {
    let reading = letter(response);
    let word = strip(given(response).0);
    match reading.part {
        Part::FirstCharacter if word.eq_ignore_ascii_case("yes") => Reading::new('A', Part::Word),
        Part::FirstCharacter if word.eq_ignore_ascii_case("no") => Reading::new('B', Part::Word),
        _ => reading,
    }
}
