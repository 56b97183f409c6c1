//! The rule from made-up answers to its words: examples and answers as in a run's records, paired and judged.

use std::path::Path;

use prism_run::random::Stream;
use prism_run::records::AnswerRow;
use prism_run::{Effect, Verdict};

use super::*;
use crate::made;
use crate::pairs::branches;

type Letter = Option<&'static str>;
/// Which rows.
type Rows = fn(usize) -> bool;

const LETTERS: [&str; 4] = ["A", "B", "C", "D"];
const SWAP: &str = "swap:other-answer";
const SWAP_KV: &str = "swap-kv:other-answer";

fn of(name: &str) -> Intervention {
    name.parse().unwrap()
}

fn gold(row: usize) -> Letter {
    Some(LETTERS[row % 4])
}

/// A wrong letter of that example.
fn wrong(row: usize) -> Letter {
    Some(LETTERS[(row + 1) % 4])
}

/// Letters of a run, before they are answers.
#[derive(Debug, Clone)]
struct Run {
    clean: Vec<Letter>,
    under: Vec<(Intervention, Vec<Letter>)>,
    category: fn(usize) -> &'static str,
    /// Examples that share an image.
    together: usize,
    /// Strength squared of every intervention; `None` is nothing to exchange.
    strength: Option<f64>,
    opens: fn(usize) -> bool,
    /// An intervention that could be done in some rows alone.
    only: Option<(Intervention, Rows)>,
}

impl Run {
    /// `n` examples answered right, which no intervention changes.
    fn silent(n: usize) -> Self {
        Self::answering((0..n).map(gold).collect())
    }

    /// These clean answers, which no intervention changes.
    fn answering(clean: Vec<Letter>) -> Self {
        let names = [SWAP, SWAP_KV, "draw", "mean", "remove", "sham"];
        let under = names.map(|name| (of(name), clean.clone())).to_vec();
        Self { clean, under, category: |_| "all", together: 1, strength: Some(2.0), opens: |_| true, only: None }
    }

    /// The answers under `name`, each by row.
    fn under(mut self, name: &str, letter: impl Fn(usize, Letter) -> Letter) -> Self {
        let letters: Vec<Letter> = self.clean.iter().enumerate().map(|(row, clean)| letter(row, *clean)).collect();
        self.under.retain(|(intervention, _)| *intervention != of(name));
        self.under.push((of(name), letters));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.under.retain(|(intervention, _)| *intervention != of(name));
        self
    }

    /// The first `n` answers under `name` are wrong.
    fn losing(self, name: &str, n: usize) -> Self {
        self.under(name, |row, clean| if row < n { wrong(row) } else { clean })
    }

    fn judged(&self) -> Judged {
        let examples: Vec<ExampleRow> = (0..self.clean.len())
            .map(|row| ExampleRow {
                category: Some((self.category)(row).into()),
                image: if self.together > 1 { format!("{}.png", row / self.together) } else { String::new() },
                ..made::example(row, LETTERS[row % 4])
            })
            .collect();
        let answer = |row: usize, intervention: Intervention, letter: Letter| {
            let plain = made::answer(row, intervention, letter, LETTERS[row % 4]);
            let moved = plain.strength.is_some();
            AnswerRow {
                steps_target: if (self.opens)(row) { 4 } else { 0 },
                strength: self.strength.filter(|_| moved),
                perturbation_norm: if self.strength.is_none() && moved { Some(0.0) } else { plain.perturbation_norm },
                ..plain
            }
        };
        let all = std::iter::once((Intervention::CLEAN, &self.clean)).chain(self.under.iter().map(|(i, letters)| (*i, letters)));
        let answers: Vec<AnswerRow> = all
            .flat_map(|(i, letters)| letters.iter().enumerate().map(move |(row, letter)| (row, i, *letter)))
            .filter(|(row, i, _)| self.only.is_none_or(|(only, can)| only != *i || can(*row)))
            .map(|(row, i, l)| answer(row, i, l))
            .collect();
        let branches = branches(Path::new("answers.parquet"), &examples, &answers).unwrap();
        judge(&branches, &examples, &Clusters::of(&examples), &AuditSettings::default())
    }

    fn word(&self) -> Verdict {
        self.judged().conclusion.word
    }

    fn need(&self) -> Need {
        self.judged().conclusion.presence
    }

    fn effect(&self, name: &str) -> Effect {
        self.judged().verdicts.iter().find(|v| v.intervention == of(name)).unwrap().verdict
    }
}

#[test]
fn exchanges_that_change_nothing_are_not_used_given_enough_examples() {
    let found = Run::silent(400).judged();
    let run = &found.conclusion;
    assert_eq!((run.word, run.content, run.presence), (Verdict::Bypassed, Content::NotUsed, Need::Indifferent), "{}", run.rule);
    assert_eq!(
        run.sentence,
        "The answers do not depend on what the block says (at most 0 of 400 change under any exchange or resampling); the block could be left out (0.0 points without)."
    );
    assert!(run.changed_bound.unwrap() < 0.01 && found.verdicts.iter().all(|v| v.verdict == Effect::Unchanged));
    assert_eq!(Run::silent(59).word(), Verdict::Bypassed);
    let few = Run::silent(58).judged().conclusion;
    assert!(few.word == Verdict::Undecided && few.needed.is_some_and(|needed| needed > 58), "{few:?}");
    let together = Run { together: 6, ..Run::silent(240) };
    assert_eq!(together.word(), Verdict::Undecided, "forty images are forty examples");
}

#[test]
fn what_could_be_done_in_no_opened_example_is_not_defined() {
    // The block opens in the even examples; `remove` ran in the odd ones alone.
    let half = Run { opens: |row| row % 2 == 0, ..Run::silent(40) };
    let mut run = half.clone();
    run.only = Some((of("remove"), |row| row % 2 == 1));
    assert_eq!((half.effect("remove") == Effect::NotDefined, run.effect("remove")), (false, Effect::NotDefined));
    let reason = run.judged().verdicts.into_iter().find(|v| v.intervention == of("remove")).unwrap().reason.unwrap();
    assert!(reason.contains("could be done in no example whose block opened"), "{reason}");
}

#[test]
fn one_exchange_that_costs_the_margin_bears_load() {
    for name in [SWAP, SWAP_KV] {
        let run = Run::silent(400).losing(name, 60).judged().conclusion;
        assert_eq!((run.word, run.resting_on.as_slice()), (Verdict::LoadBearing, &[of(name)][..]));
        assert!(run.reason.iter().any(|line| line.contains("-15.0 points")));
    }
    let drawn = Run::silent(400).losing("draw", 60);
    assert_eq!(drawn.word(), Verdict::Undecided, "resampling refutes `not used` and shows no use");
    assert_eq!(Run::silent(400).losing("zero", 400).word(), Verdict::Bypassed, "damage decides nothing");
    assert_eq!(Run::silent(400).losing("swap:other-answer/step=0", 400).word(), Verdict::Bypassed, "a part of the block decides nothing");
    assert_eq!(Run::silent(400).losing("zero", 60).effect("zero"), Effect::Loses);
}

#[test]
fn foreign_content_that_helps_misleads_and_exchanges_may_disagree() {
    let half = || Run::answering((0..400).map(|row| if row < 100 { wrong(row) } else { gold(row) }).collect());
    let helped = half().under(SWAP, |row, clean| if row < 60 { gold(row) } else { clean });
    assert_eq!((helped.word(), helped.effect(SWAP)), (Verdict::Misleading, Effect::Gains));
    let both = helped.under(SWAP_KV, |row, clean| if row >= 340 { wrong(row) } else { clean }).judged().conclusion;
    assert!(both.word == Verdict::Undecided && both.rule.contains("exchanges disagree"), "{}", both.rule);
}

#[test]
fn the_form_alone_bears_no_load() {
    let broken = Run::silent(400).under(SWAP, |row, clean| if row < 60 { None } else { clean });
    assert_eq!((broken.word(), broken.effect(SWAP)), (Verdict::Undecided, Effect::BreaksForm));
    let repaired = Run::answering((0..400).map(|row| if row < 60 { None } else { gold(row) }).collect())
        .under(SWAP, |row, _| gold(row))
        .under("remove", |row, _| gold(row));
    assert_eq!(repaired.word(), Verdict::Undecided);
    let damaged = Run::silent(400).under("zero", |row, clean| if row < 164 { None } else { clean });
    assert_eq!((damaged.word(), damaged.effect("zero")), (Verdict::Bypassed, Effect::BreaksForm));
    assert_eq!(damage_in_words(&damaged.judged().verdicts).unwrap(), "`zero` breaks the form of 164 of 400 answers");
}

#[test]
fn flips_both_ways_are_a_use_without_net_effect() {
    let clean: Vec<Letter> = (0..400).map(|row| if row < 100 { wrong(row) } else { gold(row) }).collect();
    let flips = Run::answering(clean).under(SWAP, |row, clean| match row {
        0..24 => gold(row),
        200..224 => wrong(row),
        _ => clean,
    });
    assert_eq!((flips.word(), flips.effect(SWAP)), (Verdict::WithoutNetEffect, Effect::Equivalent));
}

#[test]
fn a_category_that_loses_is_not_hidden_by_the_whole() {
    let tenth = |n: usize| Run { category: |row| if row < 40 { "position" } else { "attribute" }, ..Run::silent(400).losing(SWAP, n) };
    let part = tenth(12).judged();
    assert_eq!(part.conclusion.word, Verdict::InPart, "{}", part.conclusion.rule);
    assert!(part.conclusion.sentence.contains("`position`") && part.categories.len() == 8);
    assert_eq!(tenth(0).word(), Verdict::Bypassed);
    assert_ne!(tenth(6).word(), Verdict::Bypassed, "six of forty, neither shown nor excluded");
}

#[test]
fn what_was_not_put_in_or_not_run_decides_nothing() {
    let missing = Run::silent(400).without(SWAP_KV).judged().conclusion;
    assert!(missing.word == Verdict::Undecided && missing.rule.contains("swap-kv:other-answer is missing"), "{}", missing.rule);
    let undeclared = Run::silent(400).without("draw").judged().conclusion;
    assert!(undeclared.word == Verdict::Undecided && undeclared.rule.contains("draw is missing"), "{}", undeclared.rule);
    let weak = Run { strength: Some(0.04), ..Run::silent(400) };
    assert_eq!((weak.word(), weak.effect(SWAP), weak.effect("remove")), (Verdict::Undecided, Effect::TooWeak, Effect::Unchanged));
    let alike = Run { strength: None, ..Run::silent(400) };
    assert_eq!(alike.word(), Verdict::Bypassed, "latents that are the same for every example say nothing");
}

#[test]
fn a_model_that_guesses_depends_on_nothing() {
    let guesses = Run::answering((0..400).map(|row| Some(LETTERS[(row / 4) % 4])).collect()).judged().conclusion;
    assert!(guesses.word == Verdict::Undecided && guesses.rule.contains("guesses"), "{}", guesses.rule);
    // It has nothing to lose either: its block is not called needless.
    assert!(guesses.presence == Need::Undecided && guesses.presence_rule.contains("nothing to lose"), "{}", guesses.presence_rule);
    assert!(guesses.sentence.contains("whether the model needs its block is not decided"), "{}", guesses.sentence);
    let mute = Run::answering(vec![None; 600]).judged().conclusion;
    assert_eq!((mute.word, mute.presence, mute.needed), (Verdict::Undecided, Need::Undecided, None));
    // More examples would not help a model that guesses: none are named, however few there are.
    let few = Run::answering((0..12).map(wrong).collect()).judged().conclusion;
    assert!(few.word == Verdict::Undecided && few.needed.is_none() && few.rule.contains("would not decide"), "{few:?}");
}

#[test]
fn controls_and_blocks_that_stay_shut() {
    let fault = Run::silent(400).losing("sham", 1).judged().conclusion;
    assert_eq!((fault.word, fault.presence), (Verdict::InstrumentFault, Need::InstrumentFault));
    let shut = Run { opens: |_| false, ..Run::silent(400) };
    assert_eq!((shut.word(), shut.need(), shut.effect(SWAP)), (Verdict::NoLatents, Need::NoLatents, Effect::NoLatents));
    let some = Run { opens: |row| row % 2 == 0, ..Run::silent(400) }.judged().conclusion;
    assert!(some.word == Verdict::Bypassed && some.examples == 200 && some.qualifier.unwrap().contains("50 %"));
}

#[test]
fn whether_the_block_is_needed_is_a_question_of_its_own() {
    let removed = Run::silent(400).losing("remove", 60);
    assert_eq!((removed.word(), removed.need()), (Verdict::Bypassed, Need::Needed));
    assert!(removed.judged().conclusion.sentence.contains("the model does need its block (-15.0 points without)"));
    let form = Run::silent(400).under("remove", |row, clean| if row < 60 { None } else { clean });
    assert_eq!(form.need(), Need::OnlyForm);
    let clean: Vec<Letter> = (0..400).map(|row| if row < 60 { wrong(row) } else { gold(row) }).collect();
    let in_the_way = Run::answering(clean).under("remove", |row, _| gold(row));
    assert_eq!(in_the_way.need(), Need::InTheWay);
    assert_eq!(Run::silent(400).without("remove").need(), Need::NotDefined);
    // An empty block that trips the model is not a block it needs.
    let empty = Run::silent(400).losing("markers", 60);
    assert_eq!((empty.need(), empty.effect("markers")), (Need::Indifferent, Effect::Loses));
    assert_eq!(empty.without("remove").need(), Need::Needed, "where nothing else was run, it is what there is");
    assert_eq!(Run::silent(400).losing("remove", 12).need(), Need::Indifferent);
    assert_eq!(Run::silent(100).losing("remove", 5).need(), Need::Undecided);
}

/// The bottleneck: without its block it writes no answer that can be parsed, so the choice can be read from `format` alone.
#[test]
fn a_choice_that_cannot_be_parsed_is_read_where_the_form_is_given() {
    let mute = |row: usize| if row < 30 { wrong(row) } else { gold(row) };
    let mute = Run::answering((0..400).map(mute).collect()).under("remove", |_, _| None);
    assert_eq!(mute.need(), Need::Undecided);
    assert!(mute.judged().conclusion.presence_rule.contains("run `format`"));
    let needed = mute.clone().under("format", |row, _| if row % 2 == 0 { wrong(row) } else { gold(row) }).judged().conclusion;
    assert_eq!((needed.presence, needed.presence_on), (Need::Needed, vec![of("remove"), of("format")]), "{}", needed.presence_rule);
    assert!(needed.sentence.contains("(-92.5 points without)"), "{}", needed.sentence);
    // Words of the clean run may carry what the block said: that nothing is lost with them shows nothing.
    let carried = mute.clone().under("format", |_, clean| clean);
    assert_eq!(carried.need(), Need::Undecided);
    assert_eq!(mute.under("format", |row, _| gold(row)).need(), Need::Undecided);
    // Where the choice can be told from `remove`, `format` decides nothing.
    let told = Run::silent(400).losing("format", 200);
    assert_eq!(told.need(), Need::Indifferent);
    let form = Run::silent(400).under("remove", |row, clean| if row < 60 { None } else { clean }).losing("format", 200);
    assert_eq!(form.need(), Need::OnlyForm);
}

/// A random run near the borders of the rule: sizes, images, categories, and how many answers each
/// intervention of the content set changes.
fn random(s: &mut Stream) -> Run {
    let n = if s.below(8) == 0 { 1000 } else { 60 + s.below(200) };
    let unparsed = [0.0, 0.0, 0.05, 0.15, 0.3][s.below(5)];
    let clean: Vec<Letter> = (0..n)
        .map(|row| match s.uniform() {
            u if u < unparsed => None,
            u if u < unparsed + 0.15 => wrong(row),
            _ => gold(row),
        })
        .collect();
    let mut run = Run::answering(clean);
    run.together = [1, 1, 2][s.below(3)];
    run.category = [|_: usize| "all", |row: usize| ["a", "b"][row % 2], |row: usize| if row < 30 { "a" } else { "b" }][s.below(3)];
    for name in [SWAP, SWAP_KV, "draw", "mean"] {
        let share = [0.0, 0.005, 0.01, 0.03][s.below(4)];
        let moved: Vec<(bool, usize)> = (0..n).map(|_| (s.uniform() < share, s.below(5))).collect();
        run = run.under(name, |row, clean| if moved[row].0 { LETTERS.get(moved[row].1).copied() } else { clean });
    }
    run
}

/// 300 of 1,000 answers cannot be parsed either way: 36 losses are 3.6 % of all answers and 5.1 % of the parsed ones.
#[test]
fn what_changes_fewer_answers_than_the_margin_is_not_used() {
    let clean: Vec<Letter> = (0..1000)
        .map(|row| match row {
            0..300 => None,
            990.. => wrong(row),
            _ => gold(row),
        })
        .collect();
    for gained in [0, 2] {
        let run = Run::answering(clean.clone()).under(SWAP, |row, clean| match row {
            300..336 => wrong(row),
            _ if row >= 1000 - gained => gold(row),
            _ => clean,
        });
        let judged = run.judged();
        let swap = judged.verdicts.iter().find(|v| v.intervention == of(SWAP)).unwrap();
        assert!(swap.choice_holm_p.is_some_and(|p| p < 0.001) && swap.changed_bound.is_some_and(|bound| bound < 0.05));
        assert_eq!((judged.conclusion.content, swap.verdict), (Content::NotUsed, Effect::Unchanged), "{gained} gained");
    }
}

#[test]
fn agreement_never_takes_not_used_away() {
    let mut tried = 0;
    for case in 0..80 {
        let s = &mut Stream::new(1, "agreement", &[&case.to_string()]);
        let run = random(s);
        if run.judged().conclusion.content != Content::NotUsed {
            continue;
        }
        let changed: Vec<(usize, usize)> = (0..4)
            .flat_map(|at| (0..run.clean.len()).map(move |row| (at, row)))
            .filter(|(at, row)| content(&run)[*at][*row] != run.clean[*row])
            .collect();
        for _ in 0..4 {
            // One answer, or several at once.
            let share = [0.0, 0.5][s.below(2)];
            let mut agreeing = run.clone();
            for (i, (at, row)) in changed.iter().enumerate() {
                if i == 0 || s.uniform() < share {
                    agreeing.set(*at, *row);
                }
            }
            let found = agreeing.judged().conclusion;
            assert_eq!(found.content, Content::NotUsed, "case {case}: {}\n{run:?}", found.rule);
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried} cases are too few to say anything");
}

#[test]
fn an_exchange_that_changes_no_output_is_never_weaker_evidence() {
    let mut tried = 0;
    for case in 0..80 {
        let s = &mut Stream::new(2, "silence", &[&case.to_string()]);
        let run = random(s);
        let before = run.judged();
        if !matches!(before.conclusion.content, Content::NotUsed | Content::WithoutNetEffect) {
            continue;
        }
        let at = s.below(4);
        let mut silent = run.clone();
        (0..run.clean.len()).for_each(|row| silent.set(at, row));
        let after = silent.judged();
        let allowed: &[Content] = match before.conclusion.content {
            Content::NotUsed => &[Content::NotUsed],
            _ => &[Content::NotUsed, Content::WithoutNetEffect],
        };
        assert!(allowed.contains(&after.conclusion.content), "case {case}: {}\n{run:?}", after.conclusion.rule);
        let name = silent.under[content_at(&silent)[at]].0;
        let effect = |judged: &Judged| judged.verdicts.iter().find(|v| v.intervention == name).unwrap().verdict;
        if matches!(effect(&before), Effect::Unchanged | Effect::Equivalent) {
            assert!(matches!(effect(&after), Effect::Unchanged | Effect::Equivalent), "case {case}, {name}: {:?}", effect(&after));
        }
        tried += 1;
    }
    assert!(tried > 20, "{tried} cases are too few to say anything");
}

/// Places of the content set among the interventions of a run.
fn content_at(run: &Run) -> Vec<usize> {
    [SWAP, SWAP_KV, "draw", "mean"].iter().filter_map(|name| run.under.iter().position(|(i, _)| *i == of(name))).collect()
}

fn content(run: &Run) -> Vec<&[Letter]> {
    content_at(run).into_iter().map(|at| run.under[at].1.as_slice()).collect()
}

impl Run {
    /// Makes the answer of one member of the content set the clean one.
    fn set(&mut self, at: usize, row: usize) {
        let place = content_at(self)[at];
        self.under[place].1[row] = self.clean[row];
    }
}
