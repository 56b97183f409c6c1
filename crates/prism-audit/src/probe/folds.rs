//! scikit-learn's `StratifiedKFold(shuffle=True, random_state=seed)`, fold by fold.
//!
//! numpy's legacy generator (MT19937) and legacy shuffle (Fisher-Yates from the
//! end, masked rejection), one shuffle per class in order of first appearance.

use rand_mt::Mt;

/// The test fold of each row.
///
/// Labels are class indices in any numbering; only their order of first
/// appearance matters. Every class should have at least `folds` members, or some
/// folds lack it.
pub fn stratified_folds(labels: &[usize], folds: usize, seed: u32) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    let encoded: Vec<usize> = labels
        .iter()
        .map(|label| {
            order.iter().position(|seen| seen == label).unwrap_or_else(|| {
                order.push(*label);
                order.len() - 1
            })
        })
        .collect();
    let mut sorted = encoded.clone();
    sorted.sort_unstable();

    let mut random = Mt::new(seed);
    let mut test_fold = vec![0; labels.len()];
    for class in 0..order.len() {
        let mut of_class: Vec<usize> = Vec::new();
        for fold in 0..folds {
            let share = sorted.iter().skip(fold).step_by(folds).filter(|&&c| c == class).count();
            of_class.extend(std::iter::repeat_n(fold, share));
        }
        shuffle(&mut random, &mut of_class);
        let members = encoded.iter().zip(&mut test_fold).filter(|(c, _)| **c == class);
        for ((_, slot), fold) in members.zip(of_class) {
            *slot = fold;
        }
    }
    test_fold
}

/// numpy's `RandomState.shuffle` of a one-dimensional array.
fn shuffle(random: &mut Mt, items: &mut [usize]) {
    for i in (1..items.len()).rev() {
        let mask = u32::MAX >> (i as u32).leading_zeros();
        let j = loop {
            let candidate = random.next_u32() & mask;
            if candidate as usize <= i {
                break candidate as usize;
            }
        };
        items.swap(i, j);
    }
}
