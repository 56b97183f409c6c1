//! Mirage's score: the path that was answered, walked on the question's map.

use super::text::strip;

/// A map: 1 where the path begins, 2 its goal, -1 a hole, anything else free.
pub type Map = Vec<Vec<i64>>;

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// On the goal.
    Goal,
    /// In a hole, which ends it.
    Hole,
    /// On a free field.
    Short,
}

/// The map that a label holds as JSON, if it holds one.
pub fn map(label: &str) -> Option<Map> {
    strip(label).starts_with("[[").then(|| serde_json::from_str(label).ok()).flatten()
}

/// The steps of an answer: its letters U, D, L and R, of either case. In `RIGHT, DOWN` these are R, D.
pub fn steps(answer: &str) -> impl Iterator<Item = char> + '_ {
    answer.chars().flat_map(char::to_uppercase).filter(|c| matches!(c, 'U' | 'D' | 'R' | 'L'))
}

/// Walks the answer (Mirage@53f26de, `src/task.py`, `simulate_vsp`). A step that leads off the map is not
/// taken. `None` where the map has no beginning.
pub fn walk(map: &Map, answer: &str) -> Option<Walk> {
    let find = |row: &Vec<i64>| row.iter().position(|cell| *cell == 1);
    let (mut row, mut column) = map.iter().enumerate().find_map(|(r, cells)| Some((r, find(cells)?)))?;
    let width = map.first()?.len();
    let cell = |row: usize, column: usize| map.get(row).filter(|_| column < width).and_then(|cells| cells.get(column)).copied();
    for step in steps(answer) {
        let next = match step {
            'U' => row.checked_sub(1).map(|row| (row, column)),
            'D' => Some((row + 1, column)),
            'L' => column.checked_sub(1).map(|column| (row, column)),
            _ => Some((row, column + 1)),
        };
        match next.and_then(|(r, c)| Some((r, c, cell(r, c)?))) {
            Some((_, _, -1)) => return Some(Walk::Hole),
            Some((r, c, _)) => (row, column) = (r, c),
            None => {}
        }
    }
    Some(if cell(row, column) == Some(2) { Walk::Goal } else { Walk::Short })
}
