//! The paper's Figures 1 and 5 drawn from its published numbers: the data are those
//! numbers point for point, and the marks lie where the figure's own axes put them.

use prism_audit::paper::{Published, published};
use prism_figures::engine::Engine;
use prism_figures::paper::{published_source, write_published};
use serde_json::Value;

fn figure(published: &Published, stem: &str) -> Value {
    published_source(published).figures().into_iter().find(|f| f.stem == stem).unwrap_or_else(|| panic!("{stem} is drawn")).specification
}

/// The values of two columns of a specification's data, in order.
fn values(spec: &Value, x: &str, y: &str) -> Vec<(f64, f64)> {
    let rows = spec["data"]["values"].as_array().unwrap();
    rows.iter().map(|row| (row[x].as_f64().unwrap(), row[y].as_f64().unwrap())).collect()
}

fn translation(element: &str) -> (f64, f64) {
    let inside = element.split_once("translate(").unwrap().1.split_once(')').unwrap().0;
    let (x, y) = inside.split_once(',').unwrap();
    (x.parse().unwrap(), y.parse().unwrap())
}

/// Centres of the points: symbols that are marks of the data, not of the legend.
fn marks(svg: &str) -> Vec<(f64, f64)> {
    let groups = svg.split("<g class=\"mark-symbol role-mark").skip(1);
    groups.flat_map(|g| g.split("</g>").next().unwrap().split("<path ").skip(1)).map(translation).collect()
}

/// The scale of an axis, from its labels: where a value lies. Its labels are those in a line `across` which
/// nothing changes.
fn scale(svg: &str, across: fn((f64, f64)) -> f64, along: fn((f64, f64)) -> f64) -> impl Fn(f64) -> f64 {
    let of_axes = svg.split("role-axis-label").skip(1).map(|rest| rest.split("</g>").next().unwrap());
    let in_line = |labels: &&str| {
        let places: Vec<f64> = labels.split("<text ").skip(1).map(|t| across(translation(t))).collect();
        places.len() > 1 && places.iter().all(|p| *p == places[0])
    };
    let labels = of_axes.clone().find(in_line).unwrap_or_else(|| panic!("no axis has its labels in a line: {svg}"));
    let ticks: Vec<(f64, f64)> = labels
        .split("<text ")
        .skip(1)
        .map(|t| {
            let value = t.split_once('>').unwrap().1.split("</text>").next().unwrap().replace('−', "-");
            (value.parse().unwrap(), along(translation(t)))
        })
        .collect();
    let ((v0, p0), (v1, p1)) = (ticks[0], ticks[ticks.len() - 1]);
    move |value| p0 + (value - v0) * (p1 - p0) / (v1 - v0)
}

fn drawn_where_the_scale_puts_them(spec: &Value, points: &[(f64, f64)]) {
    let svg = Engine::start().unwrap().draw(spec).unwrap().svg;
    let marks = marks(&svg);
    assert_eq!(marks.len(), 5, "{svg}");
    let (x, y) = (scale(&svg, |p| p.1, |p| p.0), scale(&svg, |p| p.0, |p| p.1));
    // Labels stand at whole pixels beside the axis: 4 below the tick on the left one.
    for (mark, point) in marks.iter().zip(points) {
        assert!((mark.0 - x(point.0)).abs() < 1.0, "{mark:?} {point:?}: {}", x(point.0));
        assert!((mark.1 + 4.0 - y(point.1)).abs() < 1.5, "{mark:?} {point:?}: {}", y(point.1));
    }
}

fn same(drawn: &[(f64, f64)], published: &[(f64, f64)]) {
    assert_eq!(drawn.len(), published.len());
    for (a, b) in drawn.iter().zip(published) {
        assert!((a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9, "{a:?} for {b:?}");
    }
}

#[test]
fn figure_1_is_the_published_one_point_for_point() {
    let published = published().unwrap();
    let points: Vec<(f64, f64)> = published.variants().iter().map(|v| (v.cosine, v.vstar)).collect();
    let spec = figure(&published, "figure-1");
    same(&values(&spec, "cosine", "accuracy"), &points);
    drawn_where_the_scale_puts_them(&spec, &points);
}

#[test]
fn figure_5_is_the_published_one_point_for_point() {
    let published = published().unwrap();
    for (stem, corruption) in [("figure-5-zero", "truncate"), ("figure-5-noise-0.1", "noise_0.1")] {
        let points: Vec<(f64, f64)> = published.variants().iter().map(|v| (v.probe_a - v.probe_b, v.delta[corruption])).collect();
        let spec = figure(&published, stem);
        same(&values(&spec, "gap", "delta"), &points);
        drawn_where_the_scale_puts_them(&spec, &points);
    }
}

#[test]
fn the_preset_is_the_same_bytes_twice_and_holds_only_what_was_published() {
    let read = || {
        let folder = tempfile::tempdir().unwrap();
        let written = write_published(folder.path()).unwrap();
        assert!(written.notes.is_empty(), "{:?}", written.notes);
        let name = |p: &std::path::PathBuf| p.file_name().unwrap().to_string_lossy().into_owned();
        written.files.iter().map(|p| (name(p), std::fs::read(p).unwrap())).collect::<Vec<_>>()
    };
    let first = read();
    assert_eq!(first.len(), 4 * 3 + 1 + 4 * 3);
    assert_eq!(first, read());
    let text = |name: &str| String::from_utf8(first.iter().find(|f| f.0 == name).unwrap().1.clone()).unwrap();
    assert!(!text("figure-4.vl.json").contains("gained"));
    for (file, row) in [
        ("table-1.csv", "LVR,LVR,0.555,70.2,49.7,53.4,69.1,32.5,36.6\n"),
        // As published with three digits; an absent number has its reason.
        ("table-2.csv", "probe_a_vstar,probe a,vstar,,nothing is held fixed,0.98,0.694,0.993,,3\n"),
        ("table-3.csv", "LVR,LVR,69.1,2.2,1.151,32.5,3.8,,not published,54.4\n"),
        ("table-4.csv", "P-LVR-3,P-LVR-3,2.1,2.6,4.2,3.1,2.6\n"),
    ] {
        assert!(text(file).contains(row), "{file}: {}", text(file));
    }
    assert!(text("table-1.md").contains("| variant | cosine | accuracy, %: V\\*Bench |"), "{}", text("table-1.md"));
    assert!(text("table-4.tex").contains("P-LVR-3 & +2.1 & +2.6 & +4.2 & +3.1 & +2.6 \\\\\n"), "{}", text("table-4.tex"));
}
