//! Which examples show it: of each run one that flips under what its words rest on, and where its card is.

use prism_audit::findings::ConclusionFinding;
use prism_run::{Content, Intervention, Need};

use crate::document::{Block, Cell, Column, Prose, Row, Section, Table};
use crate::gallery::{Flip, Gallery};
use crate::html::clipped;
use crate::study::{Audit, Part, Study};

/// Examples named, at least, if there are as many.
const NAMED: usize = 4;
/// Examples named, at most: one of each variant.
const MOST_NAMED: usize = 6;

/// The section.
pub fn section(study: &Study, part: &Part, gallery: &Gallery) -> Option<Section> {
    if gallery.total == 0 {
        return None;
    }
    let mut table = Table::new(
        "shown",
        vec![
            Column::words("under", "under"),
            Column::count("flipping", "examples that flip"),
            Column::count("total", "of"),
            Column::count("cards", "with a card below"),
        ],
    );
    table.push(Row::new("any").cells([
        Cell::text("any intervention, in any variant"),
        Cell::count(gallery.flipping),
        Cell::count(gallery.total),
        Cell::count(gallery.shown.len()),
    ]));
    let named = named(study, part, gallery);
    let section = Section::new("shown", "Which examples show it");
    let section = if named.is_empty() {
        section
            .with("None: no intervention that the words rest on turns a right answer wrong, or a wrong one right, in the examples shown.")
    } else {
        section.with("Of the kind that each verdict speaks of, where there is one:").with(Block::List(named))
    };
    Some(section.with(table.captioned(
        "Examples that change between right and wrong somewhere. A {flip} by itself is no effect: answers flip both ways. [All that are shown, \
         and every flip.](#examples)",
    )))
}

/// The interventions that the words of a run rest on, those of content first; where none is named, the decisive ones.
fn resting_on(c: &ConclusionFinding) -> Vec<Intervention> {
    let on = [c.resting_on.as_slice(), &c.presence_on].concat();
    if on.is_empty() { c.decisive.clone() } else { on }
}

/// Whether a flip is of the kind the run's words speak of; where they name none, whether it goes the way most go.
fn is_typical(audit: &Audit, c: &ConclusionFinding, flip: &Flip) -> bool {
    let of_content = c.resting_on.contains(&flip.intervention);
    match (c.content, c.presence) {
        (Content::Used | Content::InPart, _) if of_content => !flip.gained && flip.to.is_some(),
        (Content::Misleading, _) if of_content => flip.gained,
        (_, Need::Needed) if !of_content => !flip.gained && flip.to.is_some(),
        (_, Need::OnlyForm) if !of_content => !flip.gained && flip.to.is_none(),
        (_, Need::InTheWay) if !of_content => flip.gained,
        _ => audit.change(flip.intervention).is_none_or(|change| flip.gained == (change.delta > 0.0)),
    }
}

/// The example of a run that shows its words best: a flip under what they rest on, of the kind they speak of.
fn best<'a>(gallery: &'a Gallery, audit: &Audit, run: usize, used: &[&str]) -> Option<(usize, &'a Flip)> {
    let conclusion = audit.conclusion()?;
    let under = resting_on(conclusion);
    let rests = |f: &Flip| f.run == run && under.contains(&f.intervention);
    let all = || {
        let free = gallery.shown.iter().enumerate().filter(|(_, s)| !used.contains(&s.example.id.as_str()));
        free.flat_map(|(place, s)| s.flipped.iter().filter(|f| rests(f)).map(move |f| (place, f)))
    };
    all().find(|(_, f)| is_typical(audit, conclusion, f)).or_else(|| all().next())
}

fn named(study: &Study, part: &Part, gallery: &Gallery) -> Vec<Prose> {
    let mut named: Vec<Prose> = Vec::new();
    let mut used: Vec<&str> = Vec::new();
    // One of each variant first; more where there are few variants.
    let rounds = NAMED.div_ceil(gallery.runs.len().max(1));
    for &run in gallery.runs.iter().cycle().take(gallery.runs.len() * rounds) {
        if named.len() >= NAMED.max(gallery.runs.len().min(MOST_NAMED)) {
            break;
        }
        let Some(audit) = part.audits.get(run) else { continue };
        let Some((place, f)) = best(gallery, audit, run, &used) else { continue };
        let s = &gallery.shown[place];
        used.push(&s.example.id);
        let letter = |l: &Option<String>| l.as_deref().map_or_else(|| "no answer".to_string(), |l| clipped(l, 8));
        named.push(
            Prose::default()
                .link(format!("#example-{}", place + 1), clipped(&s.example.id, 40))
                .and(": ")
                .text(format!("{} answers {} clean, {} under ", study.style(audit).name, letter(&f.from), letter(&f.to)))
                .code(f.intervention.to_string())
                .and(if f.gained { ", now right." } else { ", now wrong." }),
        );
    }
    named
}
