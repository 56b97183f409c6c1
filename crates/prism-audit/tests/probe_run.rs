//! The probes of a whole run on made records: targets, layers, floors, clusters, the paper's pipeline.

mod made;

use std::collections::BTreeMap;
use std::path::Path;

use prism_audit::AuditSettings;
use prism_audit::findings::ProbeFinding;
use prism_audit::probe::{paper, probe_run};
use prism_run::Intervention;
use prism_run::random::Stream;
use prism_run::records::{self, AnswerRow, ExampleRow};
use prism_run::table::write_rows;
use prism_run::vectors::{self, Vectors};

const N: usize = 90;
const LETTERS: [&str; 3] = ["A", "B", "C"];

fn settings() -> AuditSettings {
    AuditSettings { control_draws: 19, repeats: 2, replicates: 200, ..Default::default() }
}

fn example(row: usize, id: usize) -> ExampleRow {
    ExampleRow {
        id: format!("e{id}"),
        question_id: id.to_string(),
        category: Some(["color", "place"][id % 2].into()),
        options: ["x", "y", "z"].map(String::from).to_vec(),
        image: format!("{id}.png"),
        ..made::example(row, LETTERS[id % 3])
    }
}

/// A third of the answers are wrong, always by one letter.
fn answer(row: usize) -> AnswerRow {
    let wrong = (row / 3).is_multiple_of(3);
    made::answer(row, Intervention::CLEAN, Some(LETTERS[(row + usize::from(wrong)) % 3]), LETTERS[row % 3])
}

/// Noise, and the gold letter in the first columns as strongly as said.
fn signal(name: &str, strength: f32, row_of: impl Fn(usize) -> usize) -> Vectors {
    let mut all = Vectors::default();
    for id in 0..N {
        let mut vector = Stream::new(9, name, &[&id.to_string()]).normals(8);
        vector[id % 3] += strength;
        all.push(row_of(id) as i64, &vector);
    }
    all
}

fn write(run: &Path, examples: &[ExampleRow], named: &[(&str, Vectors)]) {
    let folder = records::folder(run);
    write_rows(&folder.join(records::files::EXAMPLES), examples.to_vec()).unwrap();
    let all: BTreeMap<String, Vectors> = named.iter().map(|(name, v)| (name.to_string(), v.clone())).collect();
    vectors::write(&folder.join(records::files::LATENTS), &all).unwrap();
}

fn find<'a>(found: &'a [ProbeFinding], place: (&str, Option<usize>, &str), target: &str) -> &'a ProbeFinding {
    let (position, layer, source) = place;
    found.iter().find(|f| (f.position.as_str(), f.layer, f.source.as_str()) == (position, layer, source) && f.target == target).unwrap()
}

#[test]
fn every_target_layer_and_floor_has_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let (own, base) = (dir.path().join("own"), dir.path().join("base"));
    let examples: Vec<ExampleRow> = (0..N).map(|i| example(i, i)).collect();
    let answers: Vec<AnswerRow> = (0..N).map(answer).collect();
    let strong = signal("strong", 5.0, |id| id);
    write(
        &own,
        &examples,
        &[
            ("answer_state", strong.clone()),
            ("answer_state@0", signal("none", 0.0, |id| id)),
            ("answer_state@1", signal("weak", 2.0, |id| id)),
            ("question_blind", signal("blind", 0.0, |id| id)),
        ],
    );
    // the other run holds the same examples in the opposite order
    let reversed: Vec<ExampleRow> = (0..N).map(|row| example(row, N - 1 - row)).collect();
    write(&base, &reversed, &[("answer_state", signal("base", 3.0, |id| N - 1 - id))]);
    let settings = AuditSettings { floors: BTreeMap::from([("base".to_string(), base.clone())]), ..settings() };
    let found = probe_run(&own, &examples, &answers, &settings).unwrap();
    assert_eq!(found.len(), 3 * 5, "three targets of two positions, two layers and a floor");

    let gold = find(&found, ("answer_state", None, "own"), "gold");
    assert!(gold.accuracy.unwrap() > 0.95 && gold.permutation_p == Some(0.05), "{gold:?}");
    assert_eq!((gold.repeats, gold.control_draws, gold.clusters, gold.rows), (2, Some(19), N, N));
    assert!(gold.selectivity.unwrap() > 0.4 && gold.compression.unwrap() > 1.5, "{gold:?}");
    assert!(gold.mi_low.unwrap() < gold.mi.unwrap() && gold.mi.unwrap() < gold.mi_high.unwrap());
    assert!(gold.floor_category.unwrap() < 0.5 && gold.floor_options.unwrap() < 0.5);
    let of_base = find(&found, ("answer_state", None, "base"), "gold").accuracy.unwrap();
    assert!(of_base > 0.75, "vectors are joined by the example's id, not its row: {of_base}");
    assert_eq!((gold.best_floor.as_deref(), gold.floor_rows), (Some("base"), Some(N)));
    assert!((gold.floor_accuracy.unwrap() - of_base).abs() < 1e-12);
    assert!((gold.above_floor.unwrap() - (gold.accuracy.unwrap() - of_base)).abs() < 1e-12);
    assert_eq!(gold.floors_absent, None);

    let errors = find(&found, ("answer_state", None, "own"), "gold_among_errors");
    assert_eq!((errors.rows, errors.best_floor.as_deref()), (30, Some("answer")), "the letter given tells the letter meant: {errors:?}");
    assert_eq!(errors.floor_answer, Some(1.0));
    assert!(find(&found, ("answer_state", None, "own"), "own_prediction").accuracy.unwrap() < gold.accuracy.unwrap());
    let layer = |layer| find(&found, ("answer_state", Some(layer), "own"), "gold").clone();
    assert!(layer(0).accuracy.unwrap() < 0.5 && layer(1).accuracy.unwrap() > 0.6);
    assert_eq!((layer(1).repeats, layer(1).control_accuracy, layer(1).best_floor), (1, None, None));

    let alone = AuditSettings { floors: BTreeMap::new(), ..settings.clone() };
    let found = probe_run(&own, &examples, &answers, &alone).unwrap();
    let gold = find(&found, ("answer_state", None, "own"), "gold");
    assert!(gold.floors_absent.as_deref().unwrap().contains("--floor"), "{gold:?}");
    let strangers: Vec<ExampleRow> = (0..N).map(|i| example(i, i + 1000)).collect();
    write(&base, &strangers, &[("answer_state", strong)]);
    let error = probe_run(&own, &examples, &answers, &settings).unwrap_err().to_string();
    assert!(error.contains("none of this run's examples") && error.contains("`base`"), "{error}");
}

#[test]
fn what_a_partner_shows_is_not_counted_as_decoding() {
    let dir = tempfile::tempdir().unwrap();
    let mut vectors = Vectors::default();
    let mut examples = Vec::new();
    for i in 0..N {
        // partners are near copies of each other with the same letter, unrelated to the vector
        let twin = i / 2;
        let mut vector = Stream::new(4, "twin", &[&twin.to_string()]).normals(200);
        vector[0] += 0.01 * i as f32;
        vectors.push(i as i64, &vector);
        let letter = LETTERS[Stream::new(5, "letter", &[&twin.to_string()]).below(3)];
        examples.push(ExampleRow { label: letter.into(), counterfactual: Some(format!("e{}", i ^ 1)), ..example(i, i) });
    }
    let accuracy = |examples: &[ExampleRow]| {
        write(dir.path(), examples, &[("latent_last", vectors.clone())]);
        let found = probe_run(dir.path(), examples, &[], &settings()).unwrap();
        let gold = find(&found, ("latent_last", None, "own"), "gold");
        (gold.clusters, gold.accuracy.unwrap(), find(&found, ("latent_last", None, "own"), "own_prediction").reason.clone())
    };
    let (clusters, together, reason) = accuracy(&examples);
    assert_eq!(clusters, N / 2);
    assert!(together < 0.5, "{together}");
    assert!(reason.unwrap().contains("nothing to tell apart"), "no answers, no own prediction");
    let apart: Vec<ExampleRow> = examples.into_iter().map(|e| ExampleRow { counterfactual: None, ..e }).collect();
    let (clusters, leaked, _) = accuracy(&apart);
    assert!(clusters == N && leaked > 0.7, "{leaked}");
}

#[test]
fn the_papers_pipeline_probes_what_the_paper_probed() {
    let dir = tempfile::tempdir().unwrap();
    let examples: Vec<ExampleRow> = (0..N).map(|i| example(i, i)).collect();
    let vectors = signal("strong", 1.0, |id| id);
    write(dir.path(), &examples, &[("answer_state", vectors.clone()), ("answer_state@0", vectors.clone())]);
    let settings = AuditSettings { control_draws: 2, ..AuditSettings::default().paper() };
    let found = probe_run(dir.path(), &examples, &[], &settings).unwrap();
    let x = prism_audit::probe::Matrix { rows: N, columns: 8, values: vectors.values.iter().map(|v| f64::from(*v)).collect() };
    let gold: Vec<&str> = examples.iter().map(|e| e.label.as_str()).collect();
    assert_eq!(found, [paper::probe("answer_state", &x, &gold, &settings).unwrap()]);
    assert_eq!((found[0].c, found[0].best_floor.clone()), (Some(1.0), None));
}
