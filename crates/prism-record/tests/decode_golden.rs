//! Decoding against the golden runs: tokens, latent iterations, letters, probe
//! vectors, corruptions, teacher-forced alignment, for every variant.

mod golden;

use std::sync::Arc;

use golden::{Opened, VARIANTS, examples, expected, folder, ids};
use prism_record::alignment::Targets;
use prism_record::decode::{Branch, Latents, Noise, NoiseFile, Prefix, Swap, Trajectory, Untouched, Zero, answer};
use prism_run::{Position, Stage, vectors};

const POSITIONS: [(&str, Position); 7] = [
    ("hidden_a", Position::AnswerState),
    ("hidden_b", Position::LatentLast),
    ("hidden_c", Position::LatentMean),
    ("hidden_b_ctx", Position::ContextLast),
    ("hidden_c_ctx", Position::ContextMean),
    ("hidden_a1_question_mean", Position::QuestionMean),
    ("hidden_a1_visual_mean", Position::VisualMean),
];

fn prefixes(opened: &Opened, count: usize) -> Vec<Prefix> {
    examples(count).iter().map(|e| opened.prefiller().prefix(e).unwrap()).collect()
}

fn clean(opened: &Opened, prefixes: &[Prefix], steps: usize, budget: usize) -> Vec<Trajectory> {
    opened.decoder(steps, budget).decode(prefixes.iter().map(|p| Branch::new(p, Untouched)).collect()).unwrap()
}

fn close(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    // The golden vectors are stored in half precision: half a unit in the last place.
    let worst = a.iter().zip(b).map(|(x, y)| (x - y).abs() - y.abs() * 4.9e-4).fold(0.0f32, f32::max);
    assert!(worst < 1e-3, "{what}: off by {worst}");
}

#[test]
fn clean_runs_equal_the_golden_ones() {
    for variant in VARIANTS {
        let opened = Opened::new(variant);
        let prefixes = prefixes(&opened, 32);
        for k in [4, 8] {
            let name = format!("decode_{variant}_k{k}");
            let golden = expected(&format!("{name}.json"));
            let runs = clean(&opened, &prefixes, k, golden["max_new_tokens"].as_u64().unwrap() as usize);
            let stored = vectors::read(&folder().join("expected").join(format!("{name}.safetensors"))).unwrap();
            for (i, ((row, prefix), run)) in golden["rows"].as_array().unwrap().iter().zip(&prefixes).zip(&runs).enumerate() {
                let what = format!("{name} row {i}");
                if i == 0 {
                    assert_eq!(prefix.prompt_ids, ids(&row["prompt_ids"]), "{what}");
                }
                assert_eq!(run.generated, ids(&row["generated"]), "{what}");
                let flags = |key: &str| row[key].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect::<Vec<_>>();
                let stages: Vec<Option<Stage>> = run.forwards.iter().map(|f| f.place.map(|p| p.stage)).collect();
                assert_eq!(stages.iter().map(Option::is_some).collect::<Vec<_>>(), flags("latent"), "{what}");
                if opened.model.config.is_staged() {
                    assert_eq!(stages.iter().map(|s| *s == Some(Stage::Context)).collect::<Vec<_>>(), flags("context"), "{what}");
                    assert_eq!(stages.iter().map(|s| *s == Some(Stage::Target)).collect::<Vec<_>>(), flags("target"), "{what}");
                }
                assert_eq!(run.text, row["text"].as_str().unwrap(), "{what}");
                assert_eq!(answer::parse(&run.text).map(String::from).as_deref(), row["predicted_letter"].as_str(), "{what}");
                assert_eq!(run.answer_forward.is_some(), row["answer_anchor_found"].as_bool().unwrap(), "{what}");
                assert_eq!(run.answer_state().map(|a| a as u64), row["answer_anchor_iter"].as_u64(), "{what}");
                for (key, position) in POSITIONS {
                    let Some(of) = stored.get(key) else { continue };
                    let Some(at) = of.rows.iter().position(|r| *r == i as i64) else { continue };
                    let vector = prefix.probe(position).or_else(|| run.probe(position)).unwrap_or_else(|| panic!("{what}: no {key}"));
                    close(&vector, of.vector(at), &format!("{what} {key}"));
                }
                if let Some(raw) = stored.get(&format!("raw_h_{i}")) {
                    for (j, forward) in run.forwards.iter().enumerate() {
                        close(&forward.state, raw.vector(j), &format!("{what} state {j}"));
                    }
                }
            }
        }
    }
}

#[test]
fn corrupted_runs_equal_the_golden_ones() {
    for variant in VARIANTS {
        let opened = Opened::new(variant);
        let golden = expected(&format!("corrupt_{variant}.json"));
        let donors: Vec<usize> = ids(&golden["donor_of"]).into_iter().map(|d| d as usize).collect();
        let noise = NoiseFile::read(&folder().join("expected").join(format!("corrupt_noise_{variant}.safetensors"))).unwrap();
        let (steps, budget) = (golden["steps"].as_u64().unwrap() as usize, golden["max_new_tokens"].as_u64().unwrap() as usize);
        let prefixes = prefixes(&opened, donors.len());
        let latents: Vec<Arc<Latents>> =
            clean(&opened, &prefixes, steps, budget).iter().enumerate().map(|(row, t)| Arc::new(t.latents(row))).collect();
        for (k, prefix) in prefixes.iter().enumerate() {
            let noisy = |sigma: f64| Branch::new(prefix, Noise { sigma, source: noise.source(k).unwrap() });
            let branches = vec![
                ("clean", Branch::new(prefix, Untouched)),
                ("truncate", Branch::new(prefix, Zero)),
                ("noise_0.1", noisy(0.1)),
                ("noise_0.3", noisy(0.3)),
                ("noise_1.0", noisy(1.0)),
                ("swap", Branch::new(prefix, Swap { donor: latents[donors[k]].clone() })),
            ];
            let (names, branches): (Vec<&str>, Vec<Branch<'_>>) = branches.into_iter().unzip();
            for (name, run) in names.iter().zip(opened.decoder(steps, budget).decode(branches).unwrap()) {
                assert_eq!(run.refusal, None);
                assert_eq!(run.generated, ids(&golden["generated"][name][k]), "{variant} {name} example {k}");
                let letter = answer::parse(&run.text).map(String::from);
                assert_eq!(letter.as_deref(), golden["letters"][name][k].as_str(), "{variant} {name} example {k}");
            }
        }
    }
}

#[test]
fn teacher_forced_alignment_equals_the_golden_one() {
    for variant in VARIANTS {
        let opened = Opened::new(variant);
        let layout = opened.layout().unwrap();
        let golden = expected(&format!("align_{variant}.json"));
        let golden = golden.as_array().unwrap();
        for (example, want) in examples(golden.len()).iter().zip(golden) {
            let prefix = opened.prefiller().prefix(example).unwrap();
            let rows = Targets::new(&opened.prompter, &layout, example, &prefix).unwrap().teacher_forced(&opened.model, &prefix).unwrap().0;
            for (stage, want) in want["stages"].as_object().unwrap() {
                let rows: Vec<_> = rows.iter().filter(|r| Some(r.stage) == Stage::from_name(stage)).collect();
                let cosines = want["per_token_cosine"].as_array().unwrap();
                assert_eq!(rows.len(), cosines.len(), "{variant} row {} {stage}", example.row);
                for (row, cosine) in rows.iter().zip(cosines) {
                    assert!(
                        (row.cosine - cosine.as_f64().unwrap()).abs() < 1e-5,
                        "{variant} row {} {stage}: {row:?} {cosines:?}",
                        example.row
                    );
                }
                let mean = |f: &dyn Fn(&&prism_run::records::AlignmentRow) -> f64| rows.iter().map(f).sum::<f64>() / rows.len() as f64;
                for (key, ours) in [
                    ("mean_mse", mean(&|r| r.mse)),
                    ("mean_l2_dist", mean(&|r| r.l2)),
                    ("mean_hidden_norm", mean(&|r| r.latent_norm)),
                    ("mean_target_norm", mean(&|r| r.target_norm)),
                ] {
                    let theirs = want[key].as_f64().unwrap();
                    assert!((ours - theirs).abs() < 1e-4 * theirs.abs(), "{variant} row {} {stage} {key}: {ours} {theirs}", example.row);
                }
            }
        }
    }
}
