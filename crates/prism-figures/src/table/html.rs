//! Reads a table of the page back from its markup. It knows the markup this crate
//! writes, in which every text is escaped, and nothing else.

use super::Cell;

/// The rows of a piece of a table; cells that hang down from a row above stand empty in those below.
pub fn rows(html: &str) -> Vec<Vec<Cell>> {
    let mut out: Vec<Vec<Cell>> = Vec::new();
    let mut hanging: Vec<(usize, usize, usize)> = Vec::new();
    for row in html.split("<tr").skip(1) {
        let mut cells = Vec::new();
        let mut at = 0;
        let mut below = Vec::new();
        let fill = |cells: &mut Vec<Cell>, at: &mut usize| {
            while let Some((_, span, _)) = hanging.iter().find(|(start, _, _)| start == at) {
                cells.push(Cell { text: String::new(), span: *span, words: true });
                *at += span;
            }
        };
        for (tag, content) in elements(row) {
            fill(&mut cells, &mut at);
            let number = |name: &str| attribute(tag, name).and_then(|v| v.parse::<usize>().ok()).unwrap_or(1).clamp(1, 1000);
            let span = number("colspan");
            if number("rowspan") > 1 {
                below.push((at, span, number("rowspan")));
            }
            let header = tag.starts_with("th") && attribute(tag, "scope").is_some_and(|s| s == "row");
            let words = header || attribute(tag, "class").is_some_and(|c| c.split(' ').any(|c| matches!(c, "text" | "prose")));
            cells.push(Cell { text: text(content), span, words });
            at += span;
        }
        fill(&mut cells, &mut at);
        hanging.extend(below);
        for (_, _, rows) in &mut hanging {
            *rows -= 1;
        }
        hanging.retain(|(_, _, rows)| *rows > 0);
        out.push(cells);
    }
    out
}

/// The cells of a row: the opening tag without its bracket, and what it holds.
fn elements(row: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut rest = row;
    while let Some(start) = ["<th", "<td"].iter().filter_map(|tag| opening(rest, tag)).min() {
        rest = &rest[start + 1..];
        let Some((tag, after)) = rest.split_once('>') else { break };
        let close = if tag.starts_with("th") { "</th>" } else { "</td>" };
        let (content, after) = after.split_once(close).unwrap_or((after, ""));
        out.push((tag, content));
        rest = after;
    }
    out
}

/// Where a tag of exactly that name opens (`<th`, not `<thead`).
fn opening(html: &str, tag: &str) -> Option<usize> {
    html.match_indices(tag).map(|(at, _)| at).find(|at| html[at + tag.len()..].starts_with([' ', '>']))
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// What a reader sees of a piece of the page, on one line.
pub fn text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        // `< 0.001` opens no tag, to a browser either.
        if !after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
            out.push('<');
            rest = after;
            continue;
        }
        if after.starts_with("svg") {
            rest = after.split_once("</svg>").map_or("", |(_, rest)| rest);
            continue;
        }
        let (tag, following) = after.split_once('>').unwrap_or((after, ""));
        if ["br", "small", "li", "p", "/li", "/p", "div", "span"].iter().any(|t| tag.split([' ', '/']).next() == Some(t) || tag == *t) {
            out.push(' ');
        }
        rest = following;
    }
    out.push_str(rest);
    // `&amp;` last, so that an escaped entity stays what it was.
    for (entity, plain) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")] {
        out = out.replace(entity, plain);
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::Table;

    #[test]
    fn less_than_is_no_tag() {
        assert_eq!(super::text("<b>p</b> < 0.001, a<b>c</b> &lt;i&gt;"), "p < 0.001, ac <i>");
    }

    #[test]
    fn a_cell_that_hangs_down_keeps_the_columns_below_it() {
        let html =
            "<thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td rowspan=\"2\">1</td><td>2</td></tr><tr><td>3</td></tr></tbody>";
        let table = Table::from_html("", html);
        let texts: Vec<Vec<&str>> = table.body.iter().map(|r| r.iter().map(|c| c.text.as_str()).collect()).collect();
        assert_eq!(texts, [vec!["1", "2"], vec!["", "3"]]);
    }
}
