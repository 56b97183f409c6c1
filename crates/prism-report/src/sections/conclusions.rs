//! How big? The verdict of each run as its audit found it: both answers, the largest change behind each, the sentence, and
//! the clauses of the rule that made them.

use prism_audit::findings::VerdictFinding;
use prism_audit::verdict::RULE;
use prism_run::{Action, Class, Effect, Intervention};

use super::{Builder, corruption, row};
use crate::change::Change;
use crate::document::{Block, Cell, Column, Form, Prose, Row, Section, Spoken, Table, Tone};
use crate::study::{Audit, Part, Study};
use crate::verdict;

/// The heading.
const HEADING: &str = "The verdict, and the rule that made it";
/// Why a run has no line of figures.
const SILENT: &str = "no latents ran";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    if part.audits.iter().all(|a| a.conclusion().is_none()) {
        return builder.absent(HEADING, verdict::why_silent(part));
    }
    let table = table(study, part);
    let rule = Block::Fold { summary: "The whole rule".into(), open: false, blocks: vec![Block::Prose(Prose::default().typeset(RULE))] };
    let section = Section::new("conclusions", HEADING).with(table.captioned(CAPTION)).with(rule).maybe(figures(study, part));
    Some(match broken(study, part) {
        Some(table) => section.with(Block::Heading("Where the form breaks")).with(table),
        None => section,
    })
}

/// A row for every run.
pub fn table(study: &Study, part: &Part) -> Table {
    let mut table = Table::new("conclusions", columns());
    for audit in &part.audits {
        table.push(of_run(study, part, audit));
    }
    table
}

/// What the table's columns are.
const CAPTION: &str = "What each run allows to be said of its latents, judged from that run alone. Exchange: the change of accuracy, in points, \
    under the exchange of content that moves it most; without the block: under `remove`, which leaves the block out, and where that was not run \
    under the other that leaves less than the block. The rest is behind the words: n counts the questions whose block opened; changed at most, the largest share of answers that the \
    decisive interventions may change (one-sided 95 % bound); differ by, how far the latents of a \
    question lie from the mean over questions, over their norm.";

fn columns() -> Vec<Column> {
    let exchange = Column::points("exchange", "exchange").because("no exchange of content was run");
    let exchange_interval = exchange.interval("exchange_interval", "95 %").because("no exchange of content was run");
    let without = Column::points("without", "without the block").because("nothing that leaves less than the block was run");
    let without_interval = without.interval("without_interval", "95 %").because("nothing that leaves less than the block was run");
    let under =
        |name: &'static str, reason: &'static str| Column::new(name, "under", Form::Intervention).attached().priority(2).because(reason);
    vec![
        Column::run(),
        Column::words("word", "the latents are"),
        exchange,
        exchange_interval,
        under("exchange_under", "no exchange of content was run"),
        Column::words("block", "the block is"),
        without,
        without_interval,
        under("without_under", "nothing that leaves less than the block was run"),
        Column::count("n", "n").priority(2),
        Column::percent("changed_bound", "changed at most, %").priority(2).because("no answer could be compared"),
        Column::text("sentence", "in a sentence").priority(3),
        Column::percent("opened", "opened, %").priority(3),
        Column::percent("spread_over_norm", "differ by, % of norm").priority(3).because("no step has the latents of two questions"),
        Column::count("needed", "needed n").priority(3).because("the first question is decided, or more questions would not decide it"),
        Column::text("limit", "limits").priority(3).because("nothing limits the word"),
        Column::words("content", "what the block says is").priority(3),
        Column::text("rule", "because").priority(3),
        Column::words("resting_on", "resting on").attached().priority(3).because("no intervention alone"),
        Column::text("presence_rule", "the block, because").priority(3),
        Column::words("presence_on", "resting on").attached().priority(3).because("no intervention alone"),
    ]
}

fn of_run(study: &Study, part: &Part, audit: &Audit) -> Row {
    let row = row(study, part, audit);
    let Some(c) = audit.conclusion() else { return row.because(Some("no intervention was run")) };
    let exchange = largest(audit, Class::Content);
    let without = largest(audit, Class::Presence);
    let interval = |found: &Option<(Intervention, Change)>| {
        Cell::interval(found.as_ref().and_then(|(_, c)| c.low), found.as_ref().and_then(|(_, c)| c.high))
    };
    let under = |found: &Option<(Intervention, Change)>| match found {
        Some((intervention, _)) => Cell::intervention(*intervention),
        None => Cell::absent(""),
    };
    let listed = |interventions: &[Intervention]| Cell::maybe_text((!interventions.is_empty()).then(|| listed(interventions)));
    let said = |text: &str| Cell::text(Prose::default().typeset(text).as_text());
    let row = if audit.is_silent() { row.because(Some(SILENT)) } else { row };
    row.cells([
        Cell::words(c.marked_word(), c.word.into()).note(verdict::limit(c)),
        Cell::number(exchange.as_ref().map(|(_, c)| c.delta)).strong(),
        interval(&exchange),
        under(&exchange),
        Cell::word(c.presence),
        Cell::number(without.as_ref().map(|(_, c)| c.delta)).strong(),
        interval(&without),
        under(&without),
        Cell::count(c.examples),
        Cell::number(c.changed_bound),
        said(&c.sentence),
        Cell::number(c.opened),
        Cell::number(c.spread_over_norm),
        Cell::count(c.needed),
        Cell::maybe_text(verdict::limit(c).map(|limit| Prose::default().typeset(&limit).as_text())),
        Cell::words(c.content.to_string(), Tone::Plain),
        said(&c.rule),
        listed(&c.resting_on),
        said(&c.presence_rule),
        listed(&c.presence_on),
    ])
}

/// Of a class the intervention on the whole block that moves accuracy most.
fn largest(audit: &Audit, class: Class) -> Option<(Intervention, Change)> {
    let of_class = |v: &&VerdictFinding| v.class == class && v.intervention.is_whole();
    let all = audit.findings.verdict.iter().filter(of_class);
    let mut all: Vec<_> = all.filter_map(|v| Some((v.intervention, audit.change(v.intervention)?))).collect();
    // The second question is answered by `remove` where it was run.
    if class == Class::Presence && all.iter().any(|(intervention, _)| intervention.action == Action::Remove) {
        all.retain(|(intervention, _)| intervention.action == Action::Remove);
    }
    all.into_iter().max_by(|a, b| a.1.delta.abs().total_cmp(&b.1.delta.abs()))
}

/// The figures behind each verdict in words, folded: one intervention an entry, its numbers those of its row.
fn figures(study: &Study, part: &Part) -> Option<Block> {
    let changes = corruption::table(study, part);
    let mut blocks = Vec::new();
    for audit in &part.audits {
        let Some(c) = audit.conclusion() else { continue };
        let rests = |v: &&VerdictFinding| c.resting_on.contains(&v.intervention) || c.presence_on.contains(&v.intervention);
        let entries: Vec<Prose> = audit.findings.verdict.iter().filter(rests).map(|v| figure(study, part, audit, v, &changes)).collect();
        if !entries.is_empty() {
            blocks.push(Block::Prose(Prose::default().strong(part.run_name(study, audit))));
            blocks.push(Block::List(entries));
        }
    }
    (!blocks.is_empty()).then(|| Block::Fold { summary: "The figures behind each word, in words".into(), open: false, blocks })
}

/// The figures of one intervention in a line; where nothing could be compared, the audit's words for that.
fn figure(study: &Study, part: &Part, audit: &Audit, v: &VerdictFinding, changes: &Table) -> Prose {
    let key = key(study, part, audit, v.intervention);
    let named = Prose::default().code(v.intervention.to_string()).and(": ");
    if changes.cell("delta", &key).is_none_or(|(_, cell)| cell.reason().is_some()) {
        return named.typeset(v.reason.as_deref().unwrap_or("not computed"));
    }
    let number = |prose: Prose, column: &str| prose.number(changes, column, &key);
    let prose = number(number(named, "delta").and(" points "), "delta_interval").and(" of ");
    let prose = number(number(prose, "n").and(" (*p* "), "p").and(", Holm ");
    let prose = number(number(prose, "holm_p").and("); "), "changed_answers").and(" answers changed, at most ");
    let prose = number(prose, "changed_bound").and(" %; strength ");
    let prose = number(prose, "strength");
    if v.lost_unparsed == 0 {
        return prose;
    }
    let prose = number(number(prose.and("; "), "lost_unparsed").and(" of "), "lost").and(" lost answers cannot be parsed, ");
    number(prose.and("the change of choice is "), "choice_delta").and(" points")
}

/// The key of an intervention's row.
fn key(study: &Study, part: &Part, audit: &Audit, intervention: Intervention) -> String {
    row(study, part, audit).under(intervention).key
}

/// The cells that the sentences of a run's audit speak of, those first that they name first.
pub fn spoken<'a>(study: &Study, part: &Part, audit: &Audit, changes: &'a Table, conclusions: &'a Table) -> Vec<Spoken<'a>> {
    let Some(c) = audit.conclusion() else { return Vec::new() };
    let of = |intervention: &Intervention, columns: &[&'static str]| -> Vec<Spoken<'a>> {
        let key = key(study, part, audit, *intervention);
        columns.iter().map(|column| Spoken { table: changes, column, row: key.clone() }).collect()
    };
    let said = c.resting_on.iter().flat_map(|i| of(i, &["changed_answers", "n", "delta"]));
    let needed = c.presence_on.iter().flat_map(|i| of(i, &["delta"]));
    let broken = audit.findings.verdict.iter().filter(|v| v.verdict == Effect::BreaksForm);
    let broken = broken.flat_map(|v| of(&v.intervention, &["lost_unparsed", "n"]));
    let key = row(study, part, audit).key;
    let whole = ["needed", "opened"].map(|column| Spoken { table: conclusions, column, row: key.clone() });
    said.chain(needed).chain(whole).chain(broken).collect()
}

/// Interventions with commas.
pub fn listed(interventions: &[Intervention]) -> String {
    interventions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What the table of broken forms says.
const BROKEN: &str = "Change in points with its 95 % interval, which no adjustment widens: one that leaves out 0 may not survive {Holm|McNemar, \
    Holm}\u{2019}s. All answers: unparsed ones are wrong. Parsed both ways: a subset that the damage itself picks, and the smaller it is, the \
    less can be shown. Read leniently: where `<answer>` is lost, a single option letter right before `</answer>` counts; no verdict rests on it.";

/// For interventions that break the form: what is known of the choice, from the answers parsed both ways and from a
/// lenient reading of all. An effect that is not shown is not shown to be absent.
fn broken(study: &Study, part: &Part) -> Option<Table> {
    let group = |columns: [Column; 4], name: &'static str| columns.map(|column| column.group(name));
    let changes = |delta: &'static str, interval: &'static str| {
        let delta = Column::points(delta, "change").because("no answer was parsed both ways");
        let interval = delta.interval(interval, "95 %").because("no answer was parsed both ways");
        (delta, interval)
    };
    let (all, all_interval) = changes("delta", "delta_interval");
    let (choice, choice_interval) = changes("choice_delta", "choice_interval");
    let (lenient, lenient_interval) = changes("lenient_delta", "lenient_interval");
    let n = |name: &'static str| Column::count(name, "n").priority(2);
    let p = |name: &'static str, heading: &'static str| Column::p(name, heading).priority(2).because("not tested");
    let mut columns = vec![Column::run(), Column::intervention()];
    columns.extend(group([all, all_interval, n("n"), p("holm_p", "Holm *p*")], "all answers"));
    columns.extend(group([choice, choice_interval, n("choice_n"), p("choice_holm_p", "Holm *p*")], "parsed both ways"));
    columns.extend(group([lenient, lenient_interval, n("lenient_n"), p("lenient_p", "*p*")], "read leniently"));
    let mut table = Table::new("broken-form", columns);
    for (audit, v) in verdict::broken(part) {
        table.push(row(study, part, audit).under(v.intervention).cells([
            Cell::intervention(v.intervention),
            Cell::number(v.delta),
            Cell::interval(v.delta_low, v.delta_high),
            Cell::count(v.examples),
            Cell::number(v.holm_p),
            Cell::number(v.choice_delta),
            Cell::interval(v.choice_low, v.choice_high),
            Cell::count(v.choice_examples),
            Cell::number(v.choice_holm_p),
            Cell::number(v.lenient_delta),
            Cell::interval(v.lenient_low, v.lenient_high),
            Cell::count(v.examples),
            Cell::number(v.lenient_p),
        ]));
    }
    (!table.is_empty()).then(|| table.captioned(BROKEN))
}
