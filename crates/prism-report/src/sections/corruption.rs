//! What interventions on the latents do, by class: the profile, and what each shows (method, sections 6 to 8).

use prism_audit::findings::VerdictFinding;
use prism_run::{Effect, Intervention, View};

use super::{Builder, EXPLAINED, behind, row, styles, trust};
use crate::change::{self, ALL};
use crate::charts::still::{Forest, Panel};
use crate::charts::{Run, corruption};
use crate::document::{Cell, Column, Did, Figure, Prose, Row, Section, Table};
use crate::interventions::place;
use crate::number::{percent, spread};
use crate::study::{Audit, Part, Study};

/// The section.
pub fn section(study: &Study, part: &Part, _: &mut Builder) -> Section {
    let table = table(study, part);
    let figure = figure(study, part, &table);
    let section = Section::new("corruption", "What interventions on the latents do").with(figure).with(EXPLAINED);
    if table.is_empty() { section } else { section.with(table.captioned(CAPTION)) }
}

/// What the table's columns are.
const CAPTION: &str = "What each intervention shows, by class. n, and all that follows, counts the questions whose block opened in the clean \
    run. Strength: distance of what was put in from the clean latents, in units of their natural spread. Changed answers: letter or parse \
    state differs from the clean run; at most: one-sided 95 % bound of their share. Change in points with its 95 % score interval; \
    lost unparsed: those that could not be read any more; choice: change among answers parsed both ways. *p*: exact, clusters flipped \
    whole where there are any; Holm: within the run\u{2019}s tests of the same family (content, presence, explanatory). Adjusted over all runs \
    (Holm, over the comparison): it moves no word. Detectable: the smallest change, in points, that this many questions would show; needed: \
    questions the equivalence test would ask for, where nothing is shown. Under another view of the image (@) the change is against the \
    clean run under that view, of clean@ itself against that in full view.";

fn columns(compared: bool) -> Vec<Column> {
    let changed = Column::count("changed_answers", "changed answers");
    let delta = Column::points("delta", "change");
    let interval = delta.interval("delta_interval", "95 %");
    let holm = Column::p("holm_p", "Holm *p*").priority(2);
    let across = Column::p("across_holm_p", "adjusted over all runs").priority(3);
    vec![
        Column::run(),
        Column::words("class", "class").priority(2),
        Column::intervention(),
        Column::count("n", "n").priority(2),
        Column::decimal("strength", "strength", 2).priority(2).because("nothing is put in, or its strength was not recorded"),
        changed,
        Column::percent("changed", "%").attached().priority(2),
        Column::percent("changed_bound", "at most, %").priority(2),
        delta,
        interval,
        Column::count("gained", "gained").priority(3),
        Column::count("lost", "lost").attached().priority(3),
        Column::count("lost_unparsed", "lost unparsed").priority(3),
        Column::points("choice_delta", "choice").priority(3).because("no answer was parsed both ways"),
        Column::p("p", "*p*").priority(3),
        holm,
        Column::p("equivalence_p", "equivalence *p*").priority(3),
        if compared { across.because("not among the runs compared") } else { across.because("the runs were not compared") },
        Column::percent("detectable", "detectable").priority(3).because("too few questions to show any change"),
        Column::count("needed", "needed n").priority(3).because("needed only where nothing is shown"),
        Column::words("shows", "what it shows"),
    ]
}

/// The same changes as the first screen draws them: a panel a variant, the clean accuracy above it.
pub fn forest(study: &Study, part: &Part) -> Forest {
    let panel = |variant: usize| {
        let style = &study.variants[variant];
        let accuracies = part.of(variant).filter_map(|a| a.clean()?.accuracy);
        let note = spread(accuracies.map(Some)).map_or_else(String::new, |(mean, _, _)| format!("clean {} %", percent(Some(mean))));
        let silent = part.of(variant).all(Audit::is_silent).then(|| "no latents ran".to_string());
        Panel { variant: style.id.clone(), title: style.name.clone(), note, silent }
    };
    let panels = part.variants().into_iter().map(panel).collect();
    Forest::of(&table(study, part), "delta", "delta_interval", panels, part.margin())
}

/// A row for every run and intervention, those without a word among them: controls, and what the published pipeline has.
pub fn table(study: &Study, part: &Part) -> Table {
    let mut table = Table::new("corruption", columns(study.comparison.is_some()));
    for audit in &part.audits {
        let rows = audit.findings.faithfulness.iter().filter(|f| f.category == ALL).map(|f| f.intervention);
        let mut all: Vec<Intervention> = rows.chain(audit.findings.verdict.iter().map(|v| v.intervention)).collect();
        all.sort_by_key(|i| place(*i));
        all.dedup();
        for intervention in all.into_iter().filter(|i| !i.is_clean()) {
            let row = row(study, part, audit).under(intervention);
            let row = row.cells([Cell::words(intervention.class().to_string(), Default::default()), Cell::intervention(intervention)]);
            table.push(match change::shown(&audit.findings, intervention) {
                Some(verdict) => judged(study, audit, verdict, row),
                None => changed(audit, intervention, row),
            });
        }
    }
    table
}

/// The rest of the row of an intervention that has a word.
fn judged(study: &Study, audit: &Audit, v: &VerdictFinding, row: Row) -> Row {
    let undone = (v.examples == 0).then_some("it could be done in no example whose block opened");
    let silent = audit.is_silent().then_some("no latents ran").or(undone);
    let change = audit.change(v.intervention);
    // The examples that a link leads to are all of the run, told apart by the clean run in full view.
    let all = audit.effect(v.intervention).filter(|_| v.intervention.view == View::Open);
    let leads = |cell: Cell, did: Did, same: bool| if same { cell.behind(behind(study, audit, v.intervention).that(did)) } else { cell };
    let strength = if v.nothing_to_exchange {
        Cell::absent("nothing to exchange: the latents are the same in every example")
    } else {
        Cell::number(v.strength)
    };
    let of = |count: usize| Cell::count(Some(count).filter(|_| silent.is_none()));
    let (gained, lost) = (of(v.gained), of(v.lost));
    row.because(silent).cells([
        leads(Cell::count(v.examples), Did::Anything, all.is_some()),
        strength,
        leads(of(v.changed_answers), Did::Moved, all.is_some_and(|f| f.examples == v.examples)),
        Cell::number(v.changed),
        Cell::number(v.changed_bound),
        Cell::number(change.map(|c| c.delta)).strong(),
        Cell::interval(change.and_then(|c| c.low), change.and_then(|c| c.high)),
        leads(gained, Did::Gained, all.is_some_and(|f| f.gained == v.gained)),
        leads(lost, Did::Lost, all.is_some_and(|f| f.lost == v.lost)),
        of(v.lost_unparsed),
        Cell::number(v.choice_delta),
        Cell::number(v.clustered_p.or(v.mcnemar_p)),
        Cell::number(v.holm_p),
        Cell::number(v.equivalence_p),
        Cell::number(study.across(audit, v.intervention)),
        Cell::number(v.detectable),
        Cell::count(v.needed.filter(|_| v.verdict == Effect::Undecided)),
        // The figures behind the word stand in its row; where nothing was compared the audit says why.
        Cell::word(v.verdict).note(v.reason.clone().filter(|_| change.is_none())),
    ])
}

/// The rest of the row of one that has none: a control, or a run of the published pipeline.
fn changed(audit: &Audit, intervention: Intervention, row: Row) -> Row {
    let why = if audit.is_silent() { "no latents ran" } else { "no word is made of it: it is a control, or the pipeline has none" };
    let effect = audit.effect(intervention);
    let change = audit.change(intervention);
    let nothing = || Cell::absent("");
    row.because(Some(why)).cells([
        Cell::count(effect.map(|f| f.examples)),
        nothing(),
        nothing(),
        nothing(),
        nothing(),
        Cell::number(change.map(|c| c.delta)).strong(),
        Cell::interval(change.and_then(|c| c.low), change.and_then(|c| c.high)),
        Cell::count(change.map(|c| c.gained)),
        Cell::count(change.map(|c| c.lost)),
        Cell::count(effect.filter(|_| change.is_some()).map(|f| f.lost_unparsed)),
        nothing(),
        Cell::number(effect.and_then(|f| f.mcnemar_p).filter(|_| change.is_some())),
    ])
}

/// The profile: the changes of the table that are of the whole block with the image in view.
fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let effects: Vec<corruption::Effect<'_>> = table
        .estimates("delta", Some("delta_interval"))
        .filter_map(|e| {
            let intervention = e.row.intervention.filter(Intervention::is_whole)?;
            let run = e.run()?;
            let (style, label) = (run.style.as_ref()?, run.label.clone());
            let count = |column: &str| table.count(e.row, column).unwrap_or_default();
            Some(corruption::Effect {
                run: Run { style, label },
                intervention,
                delta: e.value,
                low: e.low,
                high: e.high,
                gained: count("gained"),
                lost: count("lost"),
                cell: Some(e.name.clone()),
            })
        })
        .collect();
    Figure::new("corruption", caption(study, part))
        .panel("", corruption::spec(&effects, part.margin()))
        .variants(&styles(study, part))
        .of("corruption")
}

fn caption(study: &Study, part: &Part) -> Prose {
    let mut caption = Prose::said(
        "Change in accuracy against the clean run of the same questions, those whose block opened, by class: another content first, which \
         answers whether what the block says is used; then less than the block, which answers whether it is needed; then order, damage and \
         help, which explain. Damage lies off the distribution: a loss there may be one of form. Bars are 95 % score intervals of the paired \
         difference.",
    );
    let trust = trust::table(study, part);
    caption = match trust::first_with(&trust, "margin").filter(|_| part.margin().is_some()) {
        Some(key) => caption.and(" The shaded band is the {margin} of ±").number(&trust, "margin", key).and(" points."),
        None => caption.and(" No common margin was declared."),
    };
    let silent: Vec<String> = part.audits.iter().filter(|a| a.is_silent()).map(|a| part.run_name(study, a)).collect();
    if !silent.is_empty() {
        caption = caption.and(" Not drawn, for no latent ran: ").text(silent.join(", ")).and(".");
    }
    if part.interventions().len() > part.whole_interventions().len() {
        caption = caption.and(" Interventions on part of the block, or under another view of the image, have figures of their own.");
    }
    caption
}
