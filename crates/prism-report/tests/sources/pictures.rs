//! What is drawn: marks of the charts and of the first screen's pictures are cells.

use serde_json::Value as Json;

use super::{Found, Made};
use crate::readers::html::Element;

/// Every mark of every chart that names a cell has its number, and an interval of its row.
pub fn marks_are_cells(made: &Made) {
    let mut checked = 0;
    for (id, spec) in &made.specs {
        for mark in spec["data"]["values"].as_array().unwrap() {
            let Some(name) = mark["cell"].as_str() else { continue };
            let found = made.cell(name);
            let drawn: Vec<f64> = mark.as_object().unwrap().values().filter_map(Json::as_f64).collect();
            let number = found.numbers().first().copied().unwrap_or_else(|| panic!("{id}: {name} is no number"));
            assert!(drawn.iter().any(|one| near(*one, number)), "{id}: {name} is {number}, drawn is {mark}");
            for end in ["low", "high"].iter().filter_map(|end| mark[end].as_f64()) {
                let holds = of_row(&found).iter().any(|one| near(*one, end)) || is_deviation(&found, number, end);
                assert!(holds, "{id}: no cell of the row of {name} holds {end}");
            }
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked} marks name cells");
}

/// The numbers of all cells of a row.
fn of_row(found: &Found<'_>) -> Vec<f64> {
    let all = found.table.columns.iter().zip(&found.row.cells);
    all.flat_map(|(column, cell)| column.form.numbers(&cell.value)).collect()
}

/// Whether it lies one standard deviation over folds from the number: what bars are where a probe has no interval.
fn is_deviation(found: &Found<'_>, number: f64, end: f64) -> bool {
    let Some((column, cell)) = found.table.cell("accuracy_sd", &found.row.key) else { return false };
    column.form.numbers(&cell.value).iter().any(|sd| near(number - sd, end) || near(number + sd, end))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

/// The forest of the first screen: each mark and its interval lie where its cell's numbers lie on the axis of its panel.
pub fn forest_is_to_scale(made: &Made, class: &str) {
    let picture = made.page.all(&|element| element.name == "svg" && element.is_of("forest") && element.is_of(class))[0];
    let zeros: Vec<f64> = picture.all(&|e| e.name == "line" && e.is_of("zero")).into_iter().map(|line| number(line, "x1")).collect();
    let ticks: Vec<(f64, f64)> = picture.all(&|e| e.name == "text" && e.is_of("tick")).into_iter().map(tick).collect();
    let panel = ticks.windows(2).take_while(|pair| pair[0].1 < pair[1].1).count();
    let (first, last) = (ticks[0], ticks[panel]);
    let unit = (last.0 - first.0) / (last.1 - first.1);
    let marks = picture.all(&|e| e.name == "g" && e.is_of("mark"));
    assert!(marks.len() > 4 && unit > 0.0, "{} marks, {unit} units a point", marks.len());
    for mark in marks {
        let name = mark.attribute("data-cell").unwrap();
        let found = made.cell(name);
        let interval = found.table.cell("delta_interval", &found.row.key).map(|(column, cell)| column.form.numbers(&cell.value));
        let centre = number(mark.named("circle")[0], "cx");
        let on = |at: f64, value: f64| zeros.iter().any(|zero| (zero + unit * value - at).abs() < 0.25);
        assert!(on(centre, found.numbers()[0]), "{name}: {} lies at {centre}", found.written());
        // The first line is the interval; the others are its ends.
        if let (Some(line), Some([low, high])) = (mark.named("line").first(), interval.as_deref()) {
            let ends = (number(line, "x1"), number(line, "x2"));
            assert!(on(ends.0, *low) && on(ends.1, *high), "{name}: [{low}, {high}] lies at {ends:?}");
        }
    }
}

/// The accuracy over K: each mark lies as high as its cell's number.
pub fn over_k_is_to_scale(made: &Made) {
    let picture = made.page.all(&|element| element.name == "svg" && element.is_of("over-k"))[0];
    // The ticks of the vertical axis end at the axis; those of the other stand in its middle.
    let of_axis = |e: &Element| e.name == "text" && e.is_of("tick") && e.attribute("text-anchor") == Some("end");
    let ticks: Vec<(f64, f64)> = picture.all(&of_axis).into_iter().map(|text| (number(text, "y") - 4.0, tick(text).1)).collect();
    let (first, last) = (ticks[0], ticks[ticks.len() - 1]);
    let height = |value: f64| first.0 + (value - first.1) * (last.0 - first.0) / (last.1 - first.1);
    let marks = picture.all(&|e| e.name == "path" && e.attribute("data-cell").is_some());
    assert!(!marks.is_empty());
    for mark in marks {
        let found = made.cell(mark.attribute("data-cell").unwrap());
        let at = mark.attribute("transform").unwrap().split([',', ')']).nth(1).unwrap().parse::<f64>().unwrap();
        assert!((height(found.numbers()[0]) - at).abs() < 0.25, "{} lies at {at}", found.written());
    }
    for level in picture.all(&|e| e.name == "text" && e.is_of("level")) {
        let found = made.cell(level.attribute("data-cell").unwrap());
        assert!(level.text().ends_with(&format!(" {}", found.written())), "{}", level.text());
    }
}

/// Squares of accuracies beside a table: each is a cell's.
pub fn squares_are_cells(made: &Made) {
    let cells = made
        .page
        .all(&|e| e.name == "table" && e.is_of("square"))
        .into_iter()
        .flat_map(|square| square.all(&|e| e.name == "td" && e.attribute("title").is_some()));
    let mut checked = 0;
    for cell in cells {
        assert_eq!(cell.text(), made.cell(cell.attribute("title").unwrap()).written());
        checked += 1;
    }
    assert!(checked >= 4);
}

/// Where a text of an axis stands and what it says.
fn tick(text: &Element) -> (f64, f64) {
    (number(text, "x"), crate::readers::text::value(&text.text()).unwrap())
}

fn number(element: &Element, name: &str) -> f64 {
    element.attribute(name).unwrap().parse().unwrap()
}
