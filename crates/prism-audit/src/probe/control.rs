//! Control labels: the real ones, exchanged among rows of the same question type and
//! the same test fold (pitfall 17; Hewitt and Liang 2019).
//!
//! Every draw keeps the labels' true frequencies in every type and fold, so what a probe
//! still predicts is type, frequency and chance. Where label and vector are independent
//! given the type every such exchange is as likely as the real labels, and the rank of
//! the real accuracy among the draws, all made by the same nested search, is an exact p.

use std::collections::BTreeMap;

use prism_run::random::Stream;

/// One draw of control labels.
///
/// `types` and `fold_of` have one entry a row.
pub fn exchanged(labels: &[usize], types: &[usize], fold_of: &[usize], stream: &mut Stream) -> Vec<usize> {
    let mut strata: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (row, stratum) in types.iter().zip(fold_of).enumerate() {
        strata.entry((*stratum.0, *stratum.1)).or_default().push(row);
    }
    let mut out = labels.to_vec();
    for rows in strata.into_values() {
        let mut own: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
        stream.shuffle(&mut own);
        for (row, label) in rows.into_iter().zip(own) {
            out[row] = label;
        }
    }
    out
}

/// Share of draws at least as high as the real value, the real one counted among them;
/// `None` without draws.
pub fn permutation_p(real: f64, draws: &[f64]) -> Option<f64> {
    let reached = draws.iter().filter(|draw| **draw >= real).count();
    (!draws.is_empty()).then(|| (1 + reached) as f64 / (1 + draws.len()) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_move_only_within_type_and_fold() {
        let labels: Vec<usize> = (0..60).map(|i| (i * 7) % 4).collect();
        let (types, folds): (Vec<usize>, Vec<usize>) = (0..60).map(|i| (i % 2, i % 3)).unzip();
        let drawn = exchanged(&labels, &types, &folds, &mut Stream::new(1, "test", &[]));
        assert_ne!(drawn, labels);
        let of = |labels: &[usize], t, f| {
            let mut own: Vec<usize> = (0..60).filter(|&i| (types[i], folds[i]) == (t, f)).map(|i| labels[i]).collect();
            own.sort_unstable();
            own
        };
        for (t, f) in (0..2).flat_map(|t| (0..3).map(move |f| (t, f))) {
            assert_eq!(of(&labels, t, f), of(&drawn, t, f));
        }
    }

    #[test]
    fn ties_count_as_reached() {
        assert_eq!(permutation_p(0.5, &[0.4, 0.5, 0.6, 0.1]), Some(0.6));
        assert_eq!(permutation_p(0.9, &[0.5; 99]), Some(0.01));
        assert_eq!(permutation_p(0.9, &[]), None);
    }
}
