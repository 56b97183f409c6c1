//! Which image tokens are read again before a latent: those that the position before it attended to
//! most (IVT-LR), in the order in which PyTorch hands them on.
//!
//! The published code takes `topk(n, sorted=False)` on the CPU, whose order is that of a partial
//! selection (`std::nth_element` of libstdc++ over values with their indices). The rows that are read
//! have consecutive positions, so their order counts. [`largest`] selects the same way; a graphics
//! card hands on the same tokens in another order.

/// Attention of the last position to the image tokens, and which of them were read already.
#[derive(Debug, Clone, Default)]
pub(super) struct Looked {
    picked: Vec<usize>,
}

impl Looked {
    /// The `n` image tokens with the largest weights that were not picked before.
    pub fn choose(&mut self, weights: &[f32], n: usize) -> Vec<usize> {
        let open = |image: &usize| !self.picked.contains(image);
        let left = (0..weights.len()).filter(open).count();
        let masked = weights.iter().enumerate().map(|(image, weight)| if open(&image) { *weight } else { f32::NEG_INFINITY });
        let chosen = largest(&masked.collect::<Vec<f32>>(), n.min(left));
        self.picked.extend_from_slice(&chosen);
        chosen
    }
}

/// Indices of the `n` largest values, in the order of `torch.topk(sorted=False)` on the CPU.
fn largest(values: &[f32], n: usize) -> Vec<usize> {
    let mut queue: Vec<(f32, usize)> = values.iter().copied().zip(0..).collect();
    if n == 0 {
        return Vec::new();
    }
    if n * 64 <= queue.len() {
        partial_sort(&mut queue, n);
    } else {
        nth_element(&mut queue, n - 1);
    }
    queue.into_iter().take(n).map(|(_, index)| index).collect()
}

type Item = (f32, usize);

/// Whether `a` comes before `b`: not-a-numbers first, then the larger.
fn before(a: Item, b: Item) -> bool {
    (a.0.is_nan() && !b.0.is_nan()) || a.0 > b.0
}

/// Puts the element that belongs at `nth` there, and those before it before it, by introselect: halves
/// around the median of three, the last few by insertion.
fn nth_element(items: &mut [Item], nth: usize) {
    let (mut first, mut last) = (0, items.len());
    if nth >= last {
        return;
    }
    let mut depth = 2 * usize::BITS.saturating_sub(1).saturating_sub(last.leading_zeros()) as usize;
    while last - first > 3 {
        if depth == 0 {
            partial_sort(&mut items[first..last], nth + 1 - first);
            return;
        }
        depth -= 1;
        let cut = partition(items, first, last);
        if cut <= nth {
            first = cut;
        } else {
            last = cut;
        }
    }
    insertion_sort(&mut items[first..last]);
}

/// Splits `first..last` around the median of its second, middle and last element.
fn partition(items: &mut [Item], first: usize, last: usize) -> usize {
    let (a, b, c) = (first + 1, first + (last - first) / 2, last - 1);
    let [at_a, at_b, at_c] = [a, b, c].map(|i| items[i]);
    let median = if before(at_a, at_b) {
        if before(at_b, at_c) {
            b
        } else if before(at_a, at_c) {
            c
        } else {
            a
        }
    } else if before(at_a, at_c) {
        a
    } else if before(at_b, at_c) {
        c
    } else {
        b
    };
    items.swap(first, median);
    let pivot = items[first];
    let (mut low, mut high) = (first + 1, last);
    loop {
        while before(items[low], pivot) {
            low += 1;
        }
        high -= 1;
        while before(pivot, items[high]) {
            high -= 1;
        }
        if low >= high {
            return low;
        }
        items.swap(low, high);
        low += 1;
    }
}

fn insertion_sort(items: &mut [Item]) {
    for i in 1..items.len() {
        let item = items[i];
        let mut at = i;
        while at > 0 && before(item, items[at - 1]) {
            items[at] = items[at - 1];
            at -= 1;
        }
        items[at] = item;
    }
}

/// The first `n` in their order, the rest behind them: a heap of `n` that the others are held against.
fn partial_sort(items: &mut [Item], n: usize) {
    for parent in (0..n / 2).rev() {
        let value = items[parent];
        sift(items, parent, n, value);
    }
    for i in n..items.len() {
        if before(items[i], items[0]) {
            let value = items[i];
            items[i] = items[0];
            sift(items, 0, n, value);
        }
    }
    for end in (1..n).rev() {
        let value = items[end];
        items[end] = items[0];
        sift(items, 0, end, value);
    }
}

/// Lets `value` sink from `hole` in the heap of the first `n`, as libstdc++ does: down to a leaf, then up.
fn sift(items: &mut [Item], mut hole: usize, n: usize, value: Item) {
    let top = hole;
    let mut child = hole;
    while n > 0 && child < (n - 1) / 2 {
        child = 2 * (child + 1);
        if before(items[child], items[child - 1]) {
            child -= 1;
        }
        items[hole] = items[child];
        hole = child;
    }
    if n.is_multiple_of(2) && n >= 2 && child == (n - 2) / 2 {
        child = 2 * (child + 1);
        items[hole] = items[child - 1];
        hole = child - 1;
    }
    while hole > top {
        let parent = (hole - 1) / 2;
        if !before(items[parent], value) {
            break;
        }
        items[hole] = items[parent];
        hole = parent;
    }
    items[hole] = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_chosen_and_none_twice() {
        let weights = [0.1, 0.9, 0.3, 0.8, 0.2, 0.7, 0.05];
        let mut looked = Looked::default();
        let mut first = looked.choose(&weights, 3);
        first.sort_unstable();
        assert_eq!(first, [1, 3, 5]);
        let mut second = looked.choose(&weights, 3);
        second.sort_unstable();
        assert_eq!(second, [0, 2, 4]);
        assert_eq!((looked.choose(&weights, 3), looked.choose(&weights, 3)), (vec![6], vec![]));
    }

    #[test]
    fn both_ways_agree_on_the_set() {
        let values: Vec<f32> = (0..400u32).map(|i| (i.wrapping_mul(2_654_435_761) % 1009) as f32).collect();
        for n in [1, 2, 6, 7, 33, 399, 400] {
            let mut sorted: Vec<usize> = (0..values.len()).collect();
            sorted.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
            let kept = |found: &[usize]| {
                let mut kept: Vec<u32> = found.iter().map(|i| values[*i] as u32).collect();
                kept.sort_unstable();
                kept
            };
            assert_eq!(kept(&largest(&values, n)), kept(&sorted[..n]), "{n}");
        }
        let mut items: Vec<Item> = values.iter().copied().zip(0..).collect();
        partial_sort(&mut items, 50);
        assert!(items[..50].windows(2).all(|pair| pair[0].0 >= pair[1].0));
    }
}
