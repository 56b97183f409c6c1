//! Tables as they are read from a page, from Markdown, from LaTeX and from a terminal.

use super::html::Element;

/// What stands over a column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// Over it and its neighbours.
    pub group: String,
    /// Over the column alone.
    pub heading: String,
    /// Over the column that it stands close to, where it shares that one's head.
    pub under: Option<String>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its text.
    pub text: String,
    /// Whether it stands in the place of several.
    pub shared: bool,
}

/// A row.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its address, where it has one.
    pub id: Option<String>,
    /// One for each column.
    pub cells: Vec<Read>,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Grid {
    /// What stands over its columns.
    pub columns: Vec<Name>,
    /// Its rows.
    pub rows: Vec<Line>,
}

/// The table of an element of that name.
pub fn of_html(table: &Element) -> Grid {
    let rows = |part: &str| -> Vec<&Element> {
        let part = table.elements().find(|element| element.name == part).unwrap();
        part.elements().filter(|element| element.name == "tr").collect()
    };
    let mut groups: Vec<String> = Vec::new();
    let mut columns = Vec::new();
    for row in rows("thead") {
        for head in row.elements() {
            if row.is_of("groups") {
                groups.extend(vec![head.text(); span(head)]);
                continue;
            }
            let close: Vec<&Element> = head.elements().filter(|element| element.name == "small").collect();
            assert_eq!(span(head), close.len() + 1, "a head stands over its column and those close to it: {}", head.text());
            let whole = head.text();
            let own: usize = close.iter().map(|small| small.text().len() + 1).sum();
            let heading = whole[..whole.len() - own].trim().to_string();
            columns.push(Name { heading: heading.clone(), ..Name::default() });
            columns.extend(close.iter().map(|small| Name { heading: small.text(), under: Some(heading.clone()), ..Name::default() }));
        }
    }
    for (column, group) in columns.iter_mut().zip(groups) {
        column.group = group;
    }
    let line = |row: &Element| {
        let cells = row.elements().flat_map(|cell| vec![Read { text: cell.text(), shared: span(cell) > 1 }; span(cell)]).collect();
        Line { id: row.attribute("id").map(str::to_string), cells }
    };
    Grid { columns, rows: rows("tbody").into_iter().map(line).collect() }
}

fn span(cell: &Element) -> usize {
    cell.attribute("colspan").map_or(1, |count| count.parse().unwrap())
}

/// The rows of a table of Markdown, the first of them the headings; what stands above it is left out.
pub fn of_markdown(text: &str) -> Vec<Vec<String>> {
    let ruled = |line: &str| line.chars().all(|c| matches!(c, '|' | ':' | '-' | ' '));
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert!(ruled(lines[1]), "{}", lines[1]);
    lines.iter().enumerate().filter(|(place, _)| *place != 1).map(|(_, line)| of_line(line)).collect()
}

fn of_line(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => cells.last_mut().unwrap().push(characters.next().unwrap()),
            '|' => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    // Nothing stands before the first bar and after the last.
    let inner = &cells[1..cells.len() - 1];
    inner.iter().map(|cell| cell.trim().replace("&lt;", "<")).collect()
}

/// The rows of a table of LaTeX, the first of them the headings. Dashes and quotes are left as they are typed.
pub fn of_latex(text: &str) -> Vec<Vec<String>> {
    let body = text.split("\\toprule\n").nth(1).unwrap().split("\\bottomrule").next().unwrap();
    let (heads, rows) = body.split_once("\\midrule\n").unwrap();
    let heads = heads.lines().last().unwrap();
    std::iter::once(heads).chain(rows.lines()).map(of_row).collect()
}

/// What stands for a character.
const TYPESET: [(&str, &str); 22] = [
    ("\\textbackslash{}", "\\"),
    ("\\textasciitilde{}", "~"),
    ("\\textasciicircum{}", "^"),
    ("\\textless{}", "<"),
    ("\\textgreater{}", ">"),
    ("\\textbar{}", "|"),
    ("\\textquotedbl{}", "\""),
    ("\\ldots{}", "…"),
    ("$-$", "−"),
    ("$\\pm$", "±"),
    ("$\\times$", "×"),
    ("$\\cdot$", "·"),
    ("$\\geq$", "≥"),
    ("$\\leq$", "≤"),
    ("$\\sigma$", "σ"),
    ("$\\lambda$", "λ"),
    ("$\\rho$", "ρ"),
    ("$\\Delta$", "Δ"),
    ("$^2$", "²"),
    ("$\\rightarrow$", "→"),
    ("{}", ""),
    ("\\", ""),
];

fn of_row(line: &str) -> Vec<String> {
    let mut rest = line.strip_suffix(" \\\\").unwrap_or_else(|| panic!("a row without end: {line}"));
    let mut cells = vec![String::new()];
    while let Some(c) = rest.chars().next() {
        if c == '&' {
            cells.push(String::new());
            rest = &rest[1..];
            continue;
        }
        let cell = cells.last_mut().unwrap();
        match TYPESET.iter().find(|(typed, _)| rest.starts_with(typed)) {
            // A backslash alone makes the next character a character.
            Some(("\\", _)) => {
                let next = rest.chars().nth(1).unwrap();
                cell.push(next);
                rest = &rest[1 + next.len_utf8()..];
            }
            Some((typed, meant)) => {
                cell.push_str(meant);
                rest = &rest[typed.len()..];
            }
            None => {
                cell.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    cells.iter().map(|cell| cell.trim().to_string()).collect()
}

/// A column of a terminal's table: all that stands over it, without spaces, and its cells.
#[derive(Debug, Clone)]
pub struct Screened {
    /// What stands over it.
    pub over: String,
    /// From the top down; of a row in several lines each line.
    pub cells: Vec<String>,
}

/// The columns of a terminal's table, found by the rule under their headings.
pub fn of_terminal(lines: &[String]) -> Vec<Screened> {
    let lines: Vec<Vec<char>> = lines.iter().map(|line| line.chars().collect()).collect();
    let is_rule = |line: &Vec<char>| line.contains(&'-') && line.iter().all(|c| matches!(c, '-' | ' '));
    let rule = lines.iter().position(is_rule).unwrap();
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (at, _) in lines[rule].iter().enumerate().filter(|(_, c)| **c == '-') {
        match places.last_mut().filter(|(_, end)| *end == at) {
            Some((_, end)) => *end = at + 1,
            None => places.push((at, at + 1)),
        }
    }
    let cut = |line: &[char], (start, end): (usize, usize)| -> String {
        let end = end.min(line.len());
        if start >= end { String::new() } else { line[start..end].iter().collect::<String>().trim().to_string() }
    };
    let column = |place: &(usize, usize)| Screened {
        over: lines[..rule].iter().map(|line| cut(line, *place)).collect::<String>().replace(' ', ""),
        cells: lines[rule + 1..].iter().map(|line| cut(line, *place)).collect(),
    };
    places.iter().map(column).collect()
}
