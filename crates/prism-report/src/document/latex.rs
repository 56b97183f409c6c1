//! A table as LaTeX, as it is printed; needs `booktabs` and, where it is wide, `graphicx`.

use std::fmt::Write;

use super::form::Form;
use super::table::{FILES, Table};

/// A column of words with a cell of more characters is set in lines.
const PROSE: usize = 40;
/// A table of more columns is scaled to the line.
const WIDE: usize = 8;

/// The table, labelled `tab:NAME`.
pub fn latex(table: &Table, label: &str) -> String {
    let columns: Vec<usize> = (0..table.columns.len()).filter(|i| table.columns[*i].priority < FILES).collect();
    let wide = columns.len() > WIDE;
    let longest = |place: usize| {
        let form = table.columns[place].form;
        table.rows().iter().map(|row| form.write(&row.cells[place].value).chars().count()).max().unwrap_or_default()
    };
    let kind = |place: &usize| match table.columns[*place].form {
        form if !form.is_words() => "r",
        Form::Run | Form::Intervention => "l",
        _ if longest(*place) > PROSE => "p{0.3\\linewidth}",
        _ => "l",
    };
    let format: String = columns.iter().map(kind).collect();
    let mut out = format!(
        "% \\usepackage{{booktabs}}{}\n\\begin{{table}}[t]\n\\centering\n\\caption{{{}}}\n\\label{{{label}}}\n",
        if wide { " and \\usepackage{graphicx}" } else { "" },
        escape(&table.caption.as_text())
    );
    if wide {
        out.push_str("\\resizebox{\\linewidth}{!}{%\n");
    }
    let _ = writeln!(out, "\\begin{{tabular}}{{{format}}}\n\\toprule");
    if columns.iter().any(|i| table.columns[*i].group.is_some()) {
        out.push_str(&groups(table, &columns));
    }
    out.push_str(&row(columns.iter().map(|i| escape(&table.columns[*i].heading.as_text())).collect()));
    out.push_str("\\midrule\n");
    for cells in table.rows() {
        out.push_str(&row(columns.iter().map(|i| escape(&table.columns[*i].form.write(&cells.cells[*i].value))).collect()));
    }
    out.push_str("\\bottomrule\n\\end{tabular}");
    out.push_str(if wide { "}\n" } else { "\n" });
    out.push_str("\\end{table}\n");
    out
}

/// The row of groups, each ruled below.
fn groups(table: &Table, columns: &[usize]) -> String {
    let mut spans: Vec<(Option<&str>, usize)> = Vec::new();
    for place in columns {
        let group = table.columns[*place].group;
        match spans.last_mut().filter(|(last, _)| *last == group) {
            Some((_, count)) => *count += 1,
            None => spans.push((group, 1)),
        }
    }
    let (mut cells, mut rules, mut at) = (Vec::new(), String::new(), 1);
    for (group, count) in spans {
        match group {
            Some(group) => {
                cells.push(format!("\\multicolumn{{{count}}}{{c}}{{{}}}", escape(group)));
                let _ = write!(rules, "\\cmidrule(lr){{{at}-{}}}", at + count - 1);
            }
            None => cells.extend(std::iter::repeat_n(String::new(), count)),
        }
        at += count;
    }
    row(cells) + &rules + "\n"
}

fn row(cells: Vec<String>) -> String {
    let mut line = cells.join(" & ");
    // A row that begins with a bracket would be read as an argument of the `\\` before it.
    if line.starts_with('[') {
        line.insert_str(0, "{}");
    }
    line + " \\\\\n"
}

/// Text as LaTeX sets it, whatever is in it.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (c, is_marked) in prism_run::shown::marked(text) {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '|' => out.push_str("\\textbar{}"),
            '"' => out.push_str("\\textquotedbl{}"),
            '−' => out.push_str("$-$"),
            '–' => out.push_str("--"),
            '’' => out.push('\''),
            '“' => out.push_str("``"),
            '”' => out.push_str("''"),
            '±' => out.push_str("$\\pm$"),
            '×' => out.push_str("$\\times$"),
            '·' => out.push_str("$\\cdot$"),
            '≥' => out.push_str("$\\geq$"),
            '≤' => out.push_str("$\\leq$"),
            'σ' => out.push_str("$\\sigma$"),
            'λ' => out.push_str("$\\lambda$"),
            'ρ' => out.push_str("$\\rho$"),
            'Δ' => out.push_str("$\\Delta$"),
            '²' => out.push_str("$^2$"),
            '→' => out.push_str("$\\rightarrow$"),
            '…' => out.push_str("\\ldots{}"),
            c if c.is_whitespace() || is_marked => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
