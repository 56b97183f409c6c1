//! One cell in every form: what each renderer writes is what the cell holds, whatever that is.

use std::collections::BTreeMap;

use prism_run::{Action, Effect, Intervention};
use proptest::prelude::*;

use prism_report::charts::theme::VariantStyle;
use prism_report::document::behind::{Links, Nowhere};
use prism_report::document::*;
use prism_report::number::ABSENT;

/// A small table with every kind of column.
fn table() -> Table {
    let delta = Column::points("delta", "change").group("accuracy");
    let interval = delta.interval("delta_interval", "95 %");
    let mut table = Table::new(
        "made",
        vec![
            Column::run(),
            Column::intervention(),
            Column::count("n", "n"),
            delta,
            interval,
            Column::p("p", "*p*").priority(2),
            Column::words("shows", "shows").priority(2),
            Column::text("why", "why").priority(3),
        ],
    )
    .captioned("What *it* shows.");
    let run = |name: &str| RunName { style: Some(VariantStyle::new(0, "lvr", name)), label: name.into(), note: None };
    table.push(Row::of_run(run("LVR"), "lvr", None).under(Action::Zero.into()).cells([
        Cell::intervention(Action::Zero.into()),
        Cell::count(40),
        Cell::number(-0.026),
        Cell::interval(Some(-0.06), Some(0.01)),
        Cell::number(1e-5),
        Cell::word(Effect::Loses),
        Cell::text("a|b & <i>"),
    ]));
    table.push(
        Row::of_run(run("LVR"), "lvr", None)
            .under(Action::Remove.into())
            .because(Some("no latents ran"))
            .cells([Cell::intervention(Action::Remove.into())]),
    );
    table
}

#[test]
fn rows_are_filled_their_keys_are_unique_and_a_run_is_named_once() {
    let mut table = table();
    assert_eq!(table.rows()[1].kind, RowKind::Again);
    assert!(table.rows()[1].cells[2..].iter().all(|cell| cell.reason() == Some("no latents ran")));
    for _ in 0..2 {
        table.push(Row::new("lvr/zero"));
    }
    let keys: Vec<&str> = table.rows().iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, ["lvr/zero", "lvr/remove", "lvr/zero-2", "lvr/zero-3"]);
    assert_eq!(table.rows()[2].cells[2].reason(), Some(value::NOT_COMPUTED));
    assert_eq!(Row::new("a b\u{202e}<c>\"").key, "a-b--c--");
    let estimates: Vec<_> = table.estimates("delta", Some("delta_interval")).collect();
    assert_eq!((estimates.len(), estimates[0].low, estimates[0].name.to_string()), (1, Some(-0.06), "made.delta[lvr/zero]".into()));
}

#[test]
fn csv_has_numbers_at_full_precision_and_reasons() {
    let lines = csv::csv(&table());
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(
        lines[0],
        "key,run,intervention,n,n.absent,delta,delta.absent,delta_interval.low,delta_interval.high,delta_interval.absent,p,p.absent,shows,shows.absent,why,why.absent"
    );
    assert_eq!(lines[1], "lvr/zero,LVR,zero,40,,-2.6,,-6,1,,1e-5,,loses,,a|b & <i>,");
    assert!(lines[2].starts_with("lvr/remove,LVR,remove,,no latents ran,,no latents ran,,,no latents ran,"));
}

#[test]
fn markdown_and_latex_keep_their_columns_whatever_is_in_a_cell() {
    let written = markdown::markdown(&table());
    assert!(written.contains("| accuracy: change | accuracy: 95 % |") && written.contains("a\\|b & &lt;i>"), "{written}");
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    assert!(written.lines().skip(2).all(|line| columns(line) == 9), "{written}");
    let written = latex::latex(&table(), "tab:made");
    for piece in [
        "\\begin{tabular}{llrrrrll}\n\\toprule",
        " &  &  & \\multicolumn{2}{c}{accuracy} &  &  &  \\\\\n\\cmidrule(lr){4-5}",
        "LVR & zero & 40 & $-$2.6 & [$-$6.0, +1.0] & \\textless{} 0.001 & loses & a\\textbar{}b \\& \\textless{}i\\textgreater{} \\\\",
        "LVR & remove & -- & -- & -- & -- & -- & -- \\\\",
    ] {
        assert!(written.contains(piece), "{piece} is not in {written}");
    }
}

#[test]
fn a_terminal_shows_what_fits_and_says_what_does_not() {
    let rows = |width: Option<usize>| -> (Vec<String>, Vec<String>) {
        let mut out = (Vec::new(), Vec::new());
        for line in terminal::lines(&table(), width) {
            match line {
                terminal::Line::Row(row) => out.0.push(row),
                terminal::Line::Sentence(text) => out.1.push(text),
            }
        }
        out
    };
    let (wide, told) = rows(None);
    assert_eq!(wide[0], "variant  intervention    n  change  95 %                p  shows  why");
    assert_eq!(wide[2], "LVR      zero           40    -2.6  [-6.0, +1.0]  < 0.001  loses  a|b & <i>");
    assert!(wide[3].starts_with("         remove        n/a     n/a  n/a ") && told.is_empty(), "{wide:?}");
    for width in 20..90 {
        let (narrow, told) = rows(Some(width));
        let longest = narrow.iter().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= width.max(21), "{width}: {narrow:?}");
        assert_eq!(width < wide[1].chars().count(), !told.is_empty(), "{width}: {told:?}");
    }
}

/// What a page keeps for a test.
#[derive(Default)]
struct Sheet(usize, String);

impl html::Page for Sheet {
    fn prefix(&self) -> &str {
        "part-1-"
    }
    fn links(&self) -> &dyn Links {
        &Nowhere
    }
    fn narrows(&self) -> bool {
        true
    }
    fn table(&mut self, _: &Table) -> usize {
        self.0 += 1;
        self.0
    }
    fn figure(&mut self, figure: &Figure) -> (usize, Vec<html::Drawing>) {
        (1, figure.panels.iter().map(|_| html::Drawing::Nothing).collect())
    }
    fn rows(&mut self, wanted: usize, _: usize) -> usize {
        wanted
    }
    fn cut(&mut self, _: String) {}
    fn file(&mut self, _: &Table) -> Option<String> {
        None
    }
    fn narrow(&mut self, rules: String) {
        self.1.push_str(&rules);
    }
}

fn page(section: &Section) -> String {
    html::section(section, &mut Sheet::default()).into_string()
}

#[test]
fn a_page_has_the_rows_with_their_addresses_and_reasons_once() {
    let prose = Prose::said("It changes by ").number(&table(), "delta", "lvr/zero").and(" points, see [below](#other).");
    let page = page(&Section::new("made", "Made").with(prose).with(table()));
    for piece in [
        "<section id=\"part-1-made\" class=\"made\"><h2>Made</h2>",
        "<a class=\"number\" href=\"#part-1-made:lvr/zero\" title=\"made.delta[lvr/zero]\">−2.6</a> points, see <a href=\"#part-1-other\">below</a>.",
        "<tr id=\"part-1-made:lvr/zero\" class=\"first\" data-variant=\"lvr\" data-run=\"LVR\" data-intervention=\"zero\">",
        "<th scope=\"colgroup\" colspan=\"2\">accuracy</th>",
        "<th scope=\"col\" colspan=\"2\">change <small>95 %</small></th>",
        "<button class=\"pick\" type=\"button\" data-pick-variant=\"lvr\" data-pick-intervention=\"zero\">zero</button>",
        "<td class=\"with\">[−6.0, +1.0]</td>",
        "<td class=\"text\"><span class=\"word changes\">loses</span></td>",
        "a|b &amp; &lt;i&gt;",
        "<td class=\"text\" colspan=\"6\">no latents ran</td>",
    ] {
        assert!(page.contains(piece), "{piece} is not in {page}");
    }
}

#[test]
fn a_narrow_screen_has_a_heading_from_one_rule_a_column() {
    let mut sheet = Sheet::default();
    let mut table = table();
    table.columns[2].heading = Prose::plain("\"}</style><script>");
    let markup = html::section(&Section::new("made", "Made").with(table), &mut sheet).into_string();
    for rule in [
        "[data-number=\"1\"] td:nth-child(5):not([colspan])::before{content:\"95 \\25  \"}",
        "[data-number=\"1\"] td:nth-child(3):not([colspan])::before{content:\"\\22 \\7d \\3c \\2f style\\3e \\3c script\\3e  \"}",
    ] {
        assert!(sheet.1.contains(rule), "{rule} is not in {}", sheet.1);
    }
    assert!(sheet.1.lines().count() >= 7 && !sheet.1.contains('<') && !markup.contains("data-l="), "{}", sheet.1);
    assert!(html::table(&self::table(), "", &Nowhere, false).into_string().contains("data-l=\"change\""), "a table by itself carries them");
}

#[test]
fn a_wide_table_is_folded_and_nothing_is_lost() {
    let columns: Vec<Column> = std::iter::once(Column::run())
        .chain((0..30).map(|i| Column::points(format!("delta:{i}"), Prose::plain(format!("change {i}"))).priority(1 + (i % 3) as u8)))
        .collect();
    let mut wide = Table::new("wide", columns);
    wide.push(Row::new("a").cells((0..31).map(|i| {
        if i == 0 { Value::Run(RunName { style: None, label: "A".into(), note: None }).into() } else { Cell::number(f64::from(i) / 7.0) }
    })));
    let page = page(&Section::new("wide", "Wide").with(wide.clone()));
    assert!(page.contains("<details class=\"more\"><summary>More: change"));
    for (column, cell) in wide.columns.iter().zip(&wide.rows()[0].cells).skip(1) {
        assert_eq!(page.matches(&format!(">{}<", column.form.write(&cell.value))).count(), 1, "{}", column.name);
    }
}

#[test]
fn hostile_text_stays_text_in_every_form() {
    let hostile = "</script><script>alert(1)</script>\"'&\u{202e}\u{1b}[2J\n|*`\\";
    let mut table = Table::new("hostile", vec![Column::run(), Column::words("word", "word"), Column::text("text", "text")]);
    let run = RunName { style: Some(VariantStyle::new(0, hostile, hostile)), label: hostile.into(), note: Some(hostile.into()) };
    table.push(
        Row::of_run(run, hostile, Some(1)).cells([Cell::words(hostile, Tone::Changes).note(hostile.to_string()), Cell::absent(hostile)]),
    );
    let table = table.captioned(Prose::plain(hostile).code(hostile).link(hostile, hostile).term(hostile, hostile));
    let markup = page(&Section::new("hostile", "Hostile").with(table.clone()));
    assert!(!markup.contains("<script") && !markup.contains(['\u{202e}', '\u{1b}']), "{markup}");
    for text in [csv::csv(&table), markdown::markdown(&table), latex::latex(&table, "tab:x"), json::json(&table, &Nowhere).to_string()] {
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text}");
    }
    for line in terminal::lines(&table, Some(80)) {
        let (terminal::Line::Row(text) | terminal::Line::Sentence(text)) = line;
        assert!(!text.chars().any(prism_run::shown::is_obeyed), "{text}");
    }
}

/// The text of the cells of a table of HTML by row and column, read as a browser reads them.
fn cells_of(markup: &str) -> BTreeMap<(String, usize), String> {
    let mut out = BTreeMap::new();
    let body = markup.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap();
    for row in body.split("<tr id=\"").skip(1) {
        let (key, rest) = row.split_once('"').unwrap();
        let mut place = 0;
        for cell in rest.split("<t").skip(1).filter(|cell| cell.starts_with(['d', 'h'])) {
            let (tag, content) = cell.split_once('>').unwrap();
            let span = tag.split("colspan=\"").nth(1).map_or(1, |rest| rest.split('"').next().unwrap().parse().unwrap());
            let inner = content.split("</t").next().unwrap();
            let mut text = String::new();
            let mut inside = false;
            for c in inner.chars() {
                match c {
                    '<' => inside = true,
                    '>' => inside = false,
                    c if !inside => text.push(c),
                    _ => {}
                }
            }
            let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            out.insert((key.to_string(), place), text);
            place += span;
        }
    }
    out
}

/// One line of CSV read by a reader that is not ours.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_string).collect()).collect()
}

fn number() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        4 => (-1.5..1.5f64).prop_map(Some),
        1 => any::<f64>().prop_map(Some),
        1 => Just(None),
        1 => prop::sample::select(vec![0.0, -0.0, 1e-12, 0.07, 0.1 + 0.2, 1e15, f64::NAN, f64::INFINITY]).prop_map(Some),
    ]
}

/// Numbers, a count and a text of a row.
type Drawn = (Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<usize>, String);

fn made(rows: &[Drawn]) -> Table {
    let delta = Column::points("delta", "change");
    let interval = delta.interval("delta_interval", "95 %");
    let mut table = Table::new(
        "made",
        vec![
            Column::run(),
            delta,
            interval,
            Column::percent("share", "share"),
            Column::decimal("plain", "plain", 3),
            Column::p("p", "p"),
            Column::count("n", "n"),
            Column::words("word", "word"),
        ],
    );
    for (i, (a, b, c, d, count, text)) in rows.iter().enumerate() {
        let run = RunName { style: None, label: format!("run {i}"), note: None };
        let p = d.map(|p| p.abs().min(1.0));
        let cells = [
            Cell::number(*a),
            Cell::interval(*b, *c),
            Cell::number(*c),
            Cell::number(*d),
            Cell::number(p),
            Cell::count(*count),
            Cell::words(text, Tone::Plain),
        ];
        table.push(Row::of_run(run, "made", Some(i as i64)).because(Some("made absent")).cells(cells));
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_form_says_the_same_of_a_cell(
        rows in prop::collection::vec((number(), number(), number(), number(), prop::option::of(0usize..100_000), "[ -~äß−–]{0,20}"), 1..8)
    ) {
        let table = made(&rows);
        let markup = cells_of(&html::table(&table, "", &Nowhere, false).into_string());
        let records = records(&csv::csv(&table));
        let md = markdown::markdown(&table);
        let md: Vec<&str> = md.lines().skip(4).collect();
        let tex = latex::latex(&table, "tab:made");
        let tex: Vec<&str> = tex.lines().skip_while(|line| *line != "\\midrule").skip(1).collect();
        let screen: Vec<String> = terminal::lines(&table, None).into_iter().filter_map(|line| if let terminal::Line::Row(row) = line { Some(row) } else { None }).skip(2).collect();
        let data = json::json(&table, &Nowhere);
        let at = |name: String| records[0].iter().position(|header| *header == name);
        for (r, row) in table.rows().iter().enumerate() {
            prop_assert_eq!(&records[r + 1][0], &row.key);
            for (c, (column, cell)) in table.columns.iter().zip(&row.cells).enumerate() {
                let text = column.form.write(&cell.value);
                let here = CellName { table: table.name.into(), column: column.name.to_string(), row: row.key.clone() };
                // On the page: as written, or its reason in its place.
                if let Some(shown) = markup.get(&(format!("made:{}", row.key), c)) {
                    let reason = cell.reason().unwrap_or_default();
                    prop_assert!(*shown == text || (shown == reason && text == ABSENT), "{here}: {shown}");
                }
                prop_assert!(md[r].contains(&text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*").replace('`', "\\`")), "{here}: {}", md[r]);
                prop_assert!(tex[r].contains(&latex::escape(&text)), "{here}: {}", tex[r]);
                let plain = if text == ABSENT && cell.reason().is_some() { terminal::ABSENT.to_string() } else { text.replace('−', "-") };
                prop_assert!(screen[r].contains(plain.trim_end()), "{here}: {:?} in {:?}", plain, screen[r]);
                let told = &data["rows"][r]["cells"][&*column.name];
                prop_assert_eq!(told["text"].as_str(), Some(text.as_str()));
                // In files: the number itself, or nothing and why.
                let numbers = column.form.numbers(&cell.value);
                let files: Vec<String> = match column.form {
                    Form::Interval { .. } => vec![format!("{}.low", column.name), format!("{}.high", column.name)],
                    _ => vec![column.name.to_string()],
                };
                let read: Vec<&str> = files.into_iter().map(|name| records[r + 1][at(name).unwrap()].as_str()).collect();
                match &cell.value {
                    Value::Absent(reason) => {
                        prop_assert!(!reason.is_empty() && read.iter().all(|cell| cell.is_empty()) && told["value"].is_null());
                        prop_assert_eq!(&records[r + 1][at(format!("{}.absent", column.name)).unwrap()], reason);
                        prop_assert_eq!(told["absent"].as_str(), Some(reason.as_str()));
                    }
                    Value::Number(_) | Value::Interval(..) => {
                        prop_assert_eq!(&read.iter().map(|cell| cell.parse::<f64>().unwrap()).collect::<Vec<_>>(), &numbers);
                        prop_assert_eq!(told["value"].as_f64().map_or_else(|| told["value"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect(), |v| vec![v]), numbers);
                    }
                    _ => prop_assert_eq!(read[0], text.as_str()),
                }
            }
        }
    }

    #[test]
    fn what_is_printed_is_the_number_rounded(value in -2.0..2.0f64, digits in 0usize..4, signed: bool) {
        for unit in [Unit::Plain, Unit::Percent, Unit::Points, Unit::Nats] {
            let form = Form::Number { unit, digits, signed };
            let text = form.write(&Value::Number(value));
            let back: f64 = text.replace('−', "-").parse().unwrap();
            prop_assert!((back - value * unit.factor()).abs() <= 0.5 * 10f64.powi(-(digits as i32)) + 1e-9, "{text} of {value}");
            prop_assert_eq!(signed && back > 0.0, text.starts_with('+'));
        }
    }
}

#[test]
fn interventions_have_one_spelling() {
    let zero: Intervention = Action::Zero.into();
    assert_eq!(Form::Intervention.write(&Value::Intervention(zero)), zero.to_string());
}
