//! A table that the page has as markup, read back from it, as CSV, Markdown and LaTeX. It goes when the last section is a
//! part of the document.

mod html;

use std::fmt::Write;

use prism_report::Error;
use prism_report::document::latex::escape as latex;
use prism_report::files::Listed;
use prism_report::number::ABSENT;

pub use html::text;

/// A column of words with a cell of more characters is set in lines.
const PROSE: usize = 40;

/// A cell's text and how many columns it spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The text, without markup.
    pub text: String,
    /// Columns, at least 1.
    pub span: usize,
    /// Set as words and not as a number.
    pub words: bool,
}

/// A table: the rows of its head, those of its body, and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The caption, without markup.
    pub caption: String,
    /// Rows above the rule; the last names the columns, those before it group them.
    pub head: Vec<Vec<Cell>>,
    /// Rows below it.
    pub body: Vec<Vec<Cell>>,
}

/// A table in each of its forms.
///
/// # Errors
/// When its rows cannot be written, which memory alone decides.
pub fn listed(stem: String, table: &Table) -> Result<Listed, Error> {
    let csv = table.csv().map_err(|e| Error::Figure { figure: stem.clone(), why: e.to_string() })?;
    Ok(Listed { csv, markdown: table.markdown(), latex: table.latex(&format!("tab:{stem}")), stem })
}

impl Table {
    /// Reads a table of the page.
    pub fn from_html(caption: &str, markup: &str) -> Self {
        let (head, body) = markup.split_once("</thead>").unwrap_or(("", markup));
        Self { caption: text(caption), head: html::rows(head), body: html::rows(body) }
    }

    fn columns(&self) -> usize {
        self.head.iter().chain(&self.body).map(|row| row.iter().map(|c| c.span).sum()).max().unwrap_or_default()
    }

    /// One name a column: its group, then its own.
    fn names(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.columns()];
        for row in &self.head {
            let cells = row.iter().flat_map(|c| std::iter::repeat_n(c.text.as_str(), c.span));
            for (name, text) in names.iter_mut().zip(cells).filter(|(_, text)| !text.is_empty()) {
                if !name.is_empty() {
                    name.push_str(": ");
                }
                name.push_str(text);
            }
        }
        names
    }

    /// Whether each column holds words.
    fn words(&self) -> Vec<bool> {
        let mut words = vec![true; self.columns()];
        for (i, word) in words.iter_mut().enumerate().skip(1) {
            let named = self.head.last().and_then(|row| row.get(i)).is_some_and(|c| c.words);
            *word = named || self.body.iter().filter(|r| r.len() > i).all(|row| row[i].words);
        }
        words
    }

    /// Characters of the longest cell of each column in the body.
    fn longest(&self) -> Vec<usize> {
        let mut longest = vec![0; self.columns()];
        for row in &self.body {
            let mut at = 0;
            for cell in row {
                if let (1, Some(known)) = (cell.span, longest.get_mut(at)) {
                    *known = cell.text.chars().count().max(*known);
                }
                at += cell.span;
            }
        }
        longest
    }

    /// CSV (RFC 4180) with one row of names; a true minus becomes `-`, a dash nothing.
    ///
    /// # Errors
    /// When the rows cannot be written, which memory alone decides.
    pub fn csv(&self) -> Result<String, csv::Error> {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let columns = self.columns();
        writer.write_record(self.names())?;
        for row in &self.body {
            let mut cells: Vec<String> = Vec::with_capacity(columns);
            for cell in row {
                let plain = if cell.text == ABSENT { String::new() } else { cell.text.replace('−', "-") };
                cells.push(plain);
                cells.extend(std::iter::repeat_n(String::new(), cell.span - 1));
            }
            cells.resize(columns, String::new());
            writer.write_record(&cells)?;
        }
        let bytes = writer.into_inner().map_err(|e| csv::Error::from(e.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Markdown under its caption.
    pub fn markdown(&self) -> String {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*");
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut out = format!("{}\n\n", escape(&self.caption));
        out.push_str(&line(self.names().iter().map(|n| escape(n)).collect()));
        out.push_str(&line(self.words().iter().map(|w| if *w { ":--".into() } else { "--:".into() }).collect()));
        for row in &self.body {
            let mut cells = Vec::new();
            for cell in row {
                cells.push(escape(&cell.text));
                cells.extend(std::iter::repeat_n(String::new(), cell.span - 1));
            }
            cells.resize(self.columns(), String::new());
            out.push_str(&line(cells));
        }
        out
    }

    /// LaTeX; needs `\usepackage{booktabs}` and, where it is wide, `graphicx`.
    pub fn latex(&self, label: &str) -> String {
        let words = self.words();
        let wide = words.len() > 8;
        let column = |(words, longest): (&bool, usize)| match words {
            true if longest > PROSE => "p{0.3\\linewidth}",
            true => "l",
            false => "r",
        };
        let format: String = words.iter().zip(self.longest()).map(column).collect();
        let mut out = format!(
            "% \\usepackage{{booktabs}}{}\n\\begin{{table}}[t]\n\\centering\n\\caption{{{}}}\n\\label{{{label}}}\n",
            if wide { " and \\usepackage{graphicx}" } else { "" },
            latex(&self.caption)
        );
        if wide {
            out.push_str("\\resizebox{\\linewidth}{!}{%\n");
        }
        let _ = writeln!(out, "\\begin{{tabular}}{{{format}}}\n\\toprule");
        for (place, row) in self.head.iter().enumerate() {
            out.push_str(&latex_row(row, &words));
            if place + 1 < self.head.len() {
                let mut at = 1;
                for cell in row {
                    if !cell.text.is_empty() {
                        let _ = write!(out, "\\cmidrule(lr){{{at}-{}}}", at + cell.span - 1);
                    }
                    at += cell.span;
                }
                out.push('\n');
            }
        }
        out.push_str("\\midrule\n");
        for row in &self.body {
            out.push_str(&latex_row(row, &words));
        }
        out.push_str("\\bottomrule\n\\end{tabular}");
        out.push_str(if wide { "}\n" } else { "\n" });
        out.push_str("\\end{table}\n");
        out
    }
}

fn latex_row(row: &[Cell], words: &[bool]) -> String {
    let mut at = 0;
    let mut cells: Vec<String> = Vec::new();
    for cell in row {
        let text = latex(&cell.text);
        cells.push(if cell.span > 1 {
            format!("\\multicolumn{{{}}}{{{}}}{{{text}}}", cell.span, if cell.words { 'l' } else { 'c' })
        } else if cell.words && !words.get(at).copied().unwrap_or(true) {
            format!("\\multicolumn{{1}}{{l}}{{{text}}}")
        } else {
            text
        });
        at += cell.span;
    }
    let mut line = cells.join(" & ");
    // A row that begins with a bracket would be read as an argument of the `\\` before it.
    if line.starts_with('[') {
        line.insert_str(0, "{}");
    }
    line + " \\\\\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = "<table class=\"wide\"><thead><tr class=\"groups\"><td></td><th scope=\"colgroup\" colspan=\"2\">accuracy, %</th></tr><tr><th scope=\"col\">variant</th><th scope=\"col\">clean</th><th scope=\"col\" class=\"text\">verdict</th></tr></thead><tbody><tr><th scope=\"row\"><svg class=\"swatch\"><path d=\"M0\"/></svg>A &amp; B_1, \"x\" &lt;i&gt;</th><td><b>−2.6</b> <small>3/4</small></td><td class=\"text\">a|b</td></tr><tr><th scope=\"row\">C</th><td colspan=\"2\" class=\"text\">no latents</td></tr><tr><th scope=\"row\">D</th><td>–</td><td class=\"text\">50 %<br>±5</td></tr></tbody></table>";

    fn table() -> Table {
        Table::from_html("What <i>G</i> says: 5 %", HTML)
    }

    /// Read back by a reader that is not ours.
    #[test]
    fn csv_reads_back_cell_by_cell() {
        let written = table().csv().unwrap();
        let mut reader = csv::Reader::from_reader(written.as_bytes());
        assert_eq!(reader.headers().unwrap(), vec!["variant", "accuracy, %: clean", "accuracy, %: verdict"]);
        let rows: Vec<Vec<String>> = reader.records().map(|r| r.unwrap().iter().map(str::to_string).collect()).collect();
        assert_eq!(rows[0], ["A & B_1, \"x\" <i>", "-2.6 3/4", "a|b"]);
        assert_eq!(rows[1], ["C", "no latents", ""]);
        assert_eq!(rows[2], ["D", "", "50 % ±5"]);
    }

    #[test]
    fn markdown_keeps_its_columns_whatever_is_in_a_cell() {
        let written = table().markdown();
        assert!(written.contains("| :-- | --: | :-- |\n") && written.contains("a\\|b") && written.contains("&lt;i>"), "{written}");
        let columns = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(written.lines().skip(2).all(|line| columns(line) == 4), "{written}");
    }

    #[test]
    fn long_words_are_set_in_lines() {
        let long = format!(
            "<thead><tr><th>a</th><th class=\"text\">b</th></tr></thead><tbody><tr><th scope=\"row\">x</th><td class=\"text\">{}</td></tr></tbody>",
            "y".repeat(PROSE + 1)
        );
        assert!(Table::from_html("", &long).latex("t").contains("\\begin{tabular}{lp{0.3\\linewidth}}"));
    }

    #[test]
    fn latex_is_escaped_and_ruled() {
        let written = table().latex("tab:x");
        for piece in [
            "\\caption{What G says: 5 \\%}",
            "\\begin{tabular}{lrl}\n\\toprule",
            " & \\multicolumn{2}{c}{accuracy, \\%} \\\\\n\\cmidrule(lr){2-3}",
            "A \\& B\\_1, \\textquotedbl{}x\\textquotedbl{} \\textless{}i\\textgreater{} & $-$2.6 3/4 & a\\textbar{}b \\\\",
            "\\multicolumn{2}{l}{no latents} \\\\",
            "D & -- & 50 \\% $\\pm$5 \\\\\n\\bottomrule",
        ] {
            assert!(written.contains(piece), "{piece} is not in {written}");
        }
        assert_eq!(latex("\\^~#$"), "\\textbackslash{}\\textasciicircum{}\\textasciitilde{}\\#\\$");
    }
}
