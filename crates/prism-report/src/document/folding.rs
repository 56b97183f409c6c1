//! Which columns of a table stand where there is little room: by priority, then from the left.

use super::table::{Column, FILES, KEY};

/// The columns that stand, and those that are folded away, each in the table's order.
///
/// `widths` are of the cells, `gap` what stands between two of them, `room` what there is. The key always
/// stands. From the first priority that does not fit as a whole, columns stand as long as they fit, and no column of a
/// larger priority does. A column attached to another never stands without it. Columns for files only do not stand.
pub fn fit(columns: &[Column], widths: &[usize], gap: usize, room: usize) -> (Vec<usize>, Vec<usize>) {
    let mut stands = vec![false; columns.len()];
    let mut used = 0;
    let width = |i: usize| widths.get(i).copied().unwrap_or_default() + gap;
    for (i, _) in columns.iter().enumerate().filter(|(_, column)| column.priority == KEY) {
        stands[i] = true;
        used += width(i);
    }
    let mut priorities: Vec<u8> = columns.iter().map(|c| c.priority).filter(|p| *p > KEY && *p < FILES).collect();
    priorities.sort_unstable();
    priorities.dedup();
    for priority in priorities {
        let of: Vec<usize> = (0..columns.len()).filter(|i| columns[*i].priority == priority).collect();
        let mut full = false;
        for i in of {
            let hangs = columns[i].attached && !stands[main(columns, i)];
            if hangs || used + width(i) > room + gap {
                full = true;
            } else {
                stands[i] = true;
                used += width(i);
            }
        }
        if full {
            break;
        }
    }
    (0..columns.len()).filter(|i| columns[*i].priority < FILES).partition(|i| stands[*i])
}

/// The column that one is attached to; itself where it is attached to none.
pub fn main(columns: &[Column], place: usize) -> usize {
    (0..=place).rev().find(|at| !columns[*at].attached).unwrap_or(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        let delta = Column::points("delta", "change");
        let interval = delta.interval("delta_interval", "95 %").priority(2);
        vec![
            Column::run(),
            delta,
            interval,
            Column::count("n", "n").priority(2),
            Column::p("p", "p").priority(3),
            Column::text("why", "why").priority(FILES),
        ]
    }

    #[test]
    fn the_largest_priorities_go_first_and_the_key_never() {
        let widths = [6, 6, 14, 3, 7, 40];
        let shown = |room: usize| fit(&columns(), &widths, 2, room).0;
        assert_eq!(shown(100), [0, 1, 2, 3, 4]);
        assert_eq!(shown(44), [0, 1, 2, 3, 4]);
        assert_eq!(shown(43), [0, 1, 2, 3]);
        // The interval has no room; the count, of the same priority, has; the p, of a larger one, may not pass it.
        assert_eq!(shown(27), [0, 1, 3]);
        assert_eq!((shown(14), shown(13), shown(0)), (vec![0, 1], vec![0], vec![0]));
    }

    #[test]
    fn what_is_attached_never_stands_alone() {
        let mut all = columns();
        all[1].priority = 3;
        assert_eq!(fit(&all, &[6, 60, 14, 3, 7, 40], 2, 40).0, [0, 3]);
    }
}
