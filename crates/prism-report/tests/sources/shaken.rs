//! A study with other numbers: every number of its findings is drawn anew, some are taken away, some are of the kind that
//! is seldom met.

use prism_audit::Findings;
use prism_report::study::Study;
use prism_run::random::Stream;
use serde_json::Value;

/// Numbers that are printed wrongly first.
const ODD: [f64; 12] = [0.0, -0.0, 1e-12, -1e-7, 0.07, 0.1 + 0.2, 0.9995, 0.99951, -0.0005, 0.000_999, 1.0, 12_345.678];
/// Counts that nothing else is made of.
const COUNTS: [&str; 9] =
    ["gained", "lost", "changed", "changed_answers", "lost_unparsed", "no_answer", "left_out", "transfer_examples", "choice_examples"];

/// The study with other numbers, told apart by `seed`.
pub fn shaken(study: &Study, seed: u64) -> Study {
    let mut study = study.clone();
    let mut stream = Stream::new(seed, "other numbers", &[]);
    for audit in study.parts.iter_mut().flat_map(|part| &mut part.audits) {
        audit.findings = others(&audit.findings, &mut stream);
    }
    if let Some((_, findings)) = &mut study.comparison {
        *findings = others(findings, &mut stream);
    }
    study
}

fn others(findings: &Findings, stream: &mut Stream) -> Findings {
    let mut all = serde_json::to_value(findings).unwrap();
    for rows in all.as_object_mut().unwrap().values_mut().filter_map(Value::as_array_mut) {
        // What is absent in one row may be absent in another.
        let absent: Vec<String> = rows.iter().filter_map(Value::as_object).flat_map(nothing).collect();
        for (key, value) in rows.iter_mut().filter_map(Value::as_object_mut).flat_map(|row| row.iter_mut()) {
            other(key, value, absent.contains(key), stream);
        }
    }
    serde_json::from_value(all).unwrap()
}

fn nothing(row: &serde_json::Map<String, Value>) -> Vec<String> {
    row.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key.clone()).collect()
}

fn other(key: &str, value: &mut Value, may_lack: bool, stream: &mut Stream) {
    if COUNTS.contains(&key) && value.is_u64() {
        *value = Value::from(stream.below(100_000));
        return;
    }
    let Some(number) = value.as_f64().filter(|_| value.is_f64()) else { return };
    let drawn = stream.uniform();
    let number = match drawn {
        _ if drawn < 0.1 && may_lack => {
            *value = Value::Null;
            return;
        }
        _ if drawn < 0.3 => ODD[stream.below(ODD.len())],
        _ => number + 0.4 * stream.normal(),
    };
    // A probability is one.
    let probability = key == "p" || key.ends_with("_p");
    *value = Value::from(if probability { number.abs().min(1.0) } else { number });
}
