//! Every case of the published scorers (`tests/scorers/README.md` says whose), and what holds of every text.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::random::Stream;

fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap()
}

fn read(rule: AnswerRule, response: &str, question: &str) -> Reading {
    let asked = Asked { question, prompt: Some(""), options: &[] };
    rule.read(response, &asked).unwrap()
}

/// Holds the rule against every label that the case has a word on.
fn agrees(rule: AnswerRule, reading: &Reading, labels: &Value) -> usize {
    let labels = labels.as_object().unwrap();
    for (label, right) in labels {
        assert_eq!(rule.agrees(reading, label), right.as_bool().unwrap(), "{rule}: {reading:?} against {label}");
    }
    labels.len()
}

#[test]
fn lvr_scores_as_its_release_does() {
    let all = cases(include_str!("../../tests/scorers/lvr.json"));
    let labels: usize =
        all.iter().map(|case| agrees(AnswerRule::Release, &read(AnswerRule::Release, text(case, "text"), ""), &case["correct_for"])).sum();
    assert_eq!((all.len(), labels), (20, 120));
}

#[test]
fn laser_scores_as_published() {
    let all = cases(include_str!("../../tests/scorers/laser.json"));
    for case in &all {
        let of = |rule| read(rule, text(case, "text"), "");
        assert_eq!(of(AnswerRule::Laser).said, text(case, "extracted"), "{case}");
        for (rule, key) in [(AnswerRule::Laser, "correct_for"), (AnswerRule::LaserYesNo, "yesno"), (AnswerRule::LaserMmvp, "mmvp")] {
            agrees(rule, &of(rule), &case[key]);
        }
    }
    assert_eq!(all.len(), 15);
}

#[test]
fn realvr_scores_as_published() {
    let all = cases(include_str!("../../tests/scorers/realvr.json"));
    for case in &all {
        let reading = read(AnswerRule::Realvr, text(case, "text"), text(case, "prompt"));
        assert_eq!(reading.said, text(case, "extracted"), "{case}");
        agrees(AnswerRule::Realvr, &reading, &case["correct_for"]);
    }
    assert_eq!(all.len(), 30);
}

#[test]
fn ilvr_swimbird_and_ivtlr_extract_as_published() {
    for case in cases(include_str!("../../tests/scorers/ilvr.json")) {
        let reading = read(AnswerRule::Ilvr, text(&case, "text"), "");
        assert_eq!(reading.said, text(&case, "extracted"), "{case}");
        assert_eq!(ilvr::normal(&reading.said), text(&case, "normalized"), "{case}");
        assert!(AnswerRule::Ilvr.agrees(&reading, text(&case, "normalized")));
    }
    for case in cases(include_str!("../../tests/scorers/swimbird.json")) {
        assert_eq!(read(AnswerRule::SwimBird, text(&case, "text"), "").said, text(&case, "extracted"), "{case}");
    }
    for case in cases(include_str!("../../tests/scorers/ivtlr.json")) {
        let reading = read(AnswerRule::Ivtlr, text(&case, "text"), "");
        let wanted: Vec<&str> = case["candidates"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        assert_eq!(ivtlr::candidates(&reading.said).collect::<Vec<_>>(), wanted, "{case}");
        for letter in 'A'..='D' {
            let letter = letter.to_string();
            assert_eq!(AnswerRule::Ivtlr.agrees(&reading, &letter), wanted.contains(&letter.as_str()), "{case} {letter}");
        }
    }
}

#[test]
fn mirage_boxes_and_walks_as_published() {
    let all: Value = serde_json::from_str(include_str!("../../tests/scorers/mirage.json")).unwrap();
    for case in all["boxed"].as_array().unwrap() {
        assert_eq!(read(AnswerRule::Mirage, text(case, "text"), "").said, text(case, "boxed"), "{case}");
        assert_eq!(read(AnswerRule::Boxed, text(case, "text"), "").said, text(case, "boxed"), "{case}");
    }
    for case in all["vsp"].as_array().unwrap() {
        let map: path::Map = serde_json::from_value(case["map"].clone()).unwrap();
        let steps: Vec<String> = path::steps(text(case, "path")).map(String::from).collect();
        assert_eq!(serde_json::to_value(steps).unwrap(), case["actions"], "{case}");
        let status = match path::walk(&map, text(case, "path")).unwrap() {
            path::Walk::Goal => "Reached goal",
            path::Walk::Hole => "Fell in hole",
            path::Walk::Short => "Did not reach goal",
        };
        assert_eq!(status, text(&case["result"], "status"), "{case}");
        let reading = read(AnswerRule::Mirage, &format!("\\boxed{{{}}}", text(case, "path")), "");
        assert_eq!(AnswerRule::Mirage.agrees(&reading, &case["map"].to_string()), case["result"]["success"], "{case}");
    }
    let reading = read(AnswerRule::Mirage, "\\boxed{R}", "");
    for label in ["[[0,0]]", "[[]]", "[[1", "[[1,2],[", "[[2]]"] {
        assert!(!AnswerRule::Mirage.agrees(&reading, label), "{label}");
    }
}

/// Texts that the runners generated, prompt and all, and what their scorers took from them.
#[test]
fn generated_text_is_read_as_the_scorers_read_it() {
    let all = cases(include_str!("../../tests/scorers/generated.json"));
    for case in &all {
        let rule = match text(case, "method") {
            "monet" => AnswerRule::Boxed,
            method => method.parse().unwrap(),
        };
        // In the decoded sequence an image has many marks, all of them the same; none of them is a word.
        let pads = text(case, "extracted").matches("<|image_pad|>").count().max(1);
        let prompt = text(case, "prompt").replace("<|image_pad|>", &"<|image_pad|>".repeat(pads));
        let asked = Asked { question: text(case, "question"), prompt: Some(&prompt), options: &[] };
        let reading = rule.read(text(case, "text"), &asked).unwrap();
        assert_eq!(reading.said, text(case, "extracted"), "{case}");
        if let Some(right) = case["correct"].as_bool() {
            assert_eq!(rule.agrees(&reading, text(case, "label")), right, "{case}");
        }
    }
    assert_eq!(all.len(), 21);
}

fn scored(rules: &str, response: &str, label: &str) -> (Option<String>, bool, Part) {
    let options = ["red", "dark blue", "blue", "green"].map(String::from);
    let score = rules.parse::<Answers>().unwrap().score(response, &Asked::of("Which?", &options), label);
    (score.answer, score.correct, score.part)
}

#[test]
fn the_first_rule_that_reads_an_option_decides() {
    let b = |right, part| (Some("B".to_string()), right, part);
    assert_eq!(scored("tagged", "B<|im_end|>", "B"), (None, false, Part::Unread));
    assert_eq!(scored("tagged,letter", "B<|im_end|>", "B"), b(true, Part::Letter));
    assert_eq!(scored("tagged,letter", "<answer> B </answer>", "A"), b(false, Part::Tag));
    assert_eq!(scored("tagged,boxed,letter", "so \\boxed{\\text{B}}", "B"), b(true, Part::Boxed));
    assert_eq!(scored("release", "<|lvr_start|>x", "B"), (None, false, Part::Unread));
    assert_eq!(scored("option-text", "It is dark blue.", "B"), (None, false, Part::Unread));
    assert_eq!(scored("ivtlr", "Answer: C. The answer is B", "B"), b(true, Part::Phrase));
    assert_eq!(scored("ivtlr", "Answer: C. The answer is B", "D"), b(false, Part::Phrase));
    assert_eq!(scored("ilvr", "final answer: no", "B"), b(true, Part::Phrase));
    assert_eq!(scored("laser-mmvp", "<answer>yes</answer>", "A"), (Some("A".into()), true, Part::Word));
    assert_eq!(scored("realvr", "<answer>green</answer>", "B"), (None, false, Part::Unread), "no options stand in the question");
}

#[test]
fn rules_go_there_and_back() {
    for rule in AnswerRule::ALL {
        assert_eq!(rule.to_string().parse::<Answers>().unwrap().rules(), [rule]);
    }
    let chain: Answers = "boxed, letter".parse().unwrap();
    assert_eq!((chain.to_string(), serde_json::to_value(&chain).unwrap()), ("boxed,letter".into(), "boxed,letter".into()));
    assert_eq!(serde_json::from_str::<Answers>("\"boxed,letter\"").unwrap(), chain);
    assert_eq!((Answers::default().to_string(), Answers::default().and_bare().to_string()), ("tagged".into(), "tagged,letter".into()));
    assert_eq!(chain.and_bare(), chain);
    for (text, told) in [("", "release"), ("tags", "option-text"), ("boxed,boxed", "twice")] {
        let error = text.parse::<Answers>().unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
}

/// Pieces that the rules look for, and what breaks them.
const PIECES: [&str; 44] = [
    "<answer>",
    "</answer>",
    "</answer",
    "<",
    ">",
    "|",
    "<|im_end|>",
    "\\boxed{",
    "{",
    "}",
    "\\text{",
    "$",
    "(",
    ")",
    "[",
    "A",
    "b",
    "C.",
    "D:",
    "(B)",
    "answer",
    "Answer:",
    "final",
    "is",
    ":",
    "\u{ff1a}",
    "the answer is",
    "option",
    "choice",
    "yes",
    "no",
    "1",
    " ",
    "\n",
    "\r",
    "\t",
    "\u{1c}",
    "\u{a0}",
    "é",
    "ß",
    "\u{130}",
    "\u{1f600}",
    "red",
    "assistant",
];

#[test]
fn no_text_breaks_a_rule_and_right_is_what_equals_the_label() {
    let options = ["red", "a", "", "é"].map(String::from);
    for i in 0..4_000 {
        let mut stream = Stream::new(i, "answers", &[]);
        let mut make = |most: usize| (0..stream.below(most)).map(|_| PIECES[stream.below(PIECES.len())]).collect::<String>();
        let (response, question, label) = (make(24), make(12), make(3));
        for rule in AnswerRule::ALL {
            for (options, label) in [(&options[..], "B"), (&options[..], "D"), (&[][..], label.as_str())] {
                let asked = Asked { question: &question, prompt: i.is_multiple_of(2).then_some(&question), options };
                let Score { answer, correct, part, said } = Answers::from(rule).score(&response, &asked, label);
                let equal = answer.as_deref() == Some(label);
                assert!(
                    equal == correct || (options.is_empty() && answer.is_none()),
                    "{rule}: {response:?} {label:?}: {answer:?} {correct}"
                );
                assert_eq!(part == Part::Unread, answer.is_none(), "{rule}: {response:?}");
                assert!(options.is_empty() || answer.is_none_or(|letter| ["A", "B", "C", "D"].contains(&letter.as_str())), "{said:?}");
            }
        }
    }
}

/// Ten megabytes of what is worst for a rule. Were the time quadratic, it would be hours.
#[test]
fn long_texts_are_read_in_time() {
    let long = |piece: &str, bytes: usize| piece.repeat(bytes / piece.len());
    let options = ["red", "a a a", "b", "<answer>"].map(String::from);
    for piece in [" ", "a ", "<answer> ", "<|", "\\boxed{", "answer: \n", "the answer is", "A. ", "é"] {
        let (text, question) = (long(piece, 10 << 20), long(piece, 1 << 20));
        for rule in AnswerRule::ALL {
            let begun = Instant::now();
            let score = Answers::from(rule).score(&text, &Asked::of(&question, &options), "B");
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(20), "{rule} on {piece:?}: {took:?} {:?}", score.answer);
        }
    }
}
