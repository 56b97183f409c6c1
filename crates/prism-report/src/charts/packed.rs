//! The data of a chart in fewer bytes: what all of its marks share stands once, and each mark is a row under their names.
//!
//! A page holds thousands of marks, most of whose bytes are names. The page's script puts them together again before a chart
//! is drawn or saved.

use serde_json::{Map, Value, json};

/// A specification whose `data.values` stand as `data.packed`, where all its marks have the same names.
pub fn packed(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(data) = spec.get_mut("data").and_then(Value::as_object_mut)
        && let Some(rows) = data.get("values").and_then(Value::as_array).and_then(|marks| rows(marks))
    {
        data.remove("values");
        data.insert("packed".into(), rows);
    }
    spec
}

fn rows(marks: &[Value]) -> Option<Value> {
    let marks: Vec<&Map<String, Value>> = marks.iter().map(Value::as_object).collect::<Option<_>>()?;
    let first = *marks.first()?;
    if marks.iter().any(|mark| !mark.keys().eq(first.keys())) {
        return None;
    }
    let (same, names): (Vec<&String>, Vec<&String>) =
        first.keys().partition(|name| marks.iter().all(|mark| mark.get(*name) == first.get(*name)));
    let same: Map<String, Value> = same.into_iter().filter_map(|name| Some((name.clone(), first.get(name)?.clone()))).collect();
    let rows: Vec<Value> =
        marks.iter().map(|mark| names.iter().map(|name| mark.get(*name).cloned().unwrap_or_default()).collect()).collect();
    Some(json!({"same": same, "names": names, "rows": rows}))
}

/// The specification as it was.
pub fn unpacked(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(data) = spec.get_mut("data").and_then(Value::as_object_mut)
        && let Some(packed) = data.remove("packed")
    {
        let array = |name: &str| packed[name].as_array().cloned().unwrap_or_default();
        let names: Vec<String> = array("names").iter().filter_map(|name| name.as_str().map(str::to_string)).collect();
        let mark = |row: &Value| {
            let mut mark = packed["same"].as_object().cloned().unwrap_or_default();
            mark.extend(names.iter().cloned().zip(row.as_array().cloned().unwrap_or_default()));
            Value::Object(mark)
        };
        data.insert("values".into(), array("rows").iter().map(mark).collect());
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_as_they_were() {
        let of = |values: Value| json!({"mark": "point", "data": {"values": values}});
        let marks = of(json!([{"run": "LVR", "x": 1.5, "low": null}, {"run": "LVR", "x": -2, "low": 0.5}]));
        let packed = packed(&marks);
        assert_eq!(packed["data"]["packed"], json!({"same": {"run": "LVR"}, "names": ["low", "x"], "rows": [[null, 1.5], [0.5, -2]]}));
        assert!(packed["data"].get("values").is_none());
        assert_eq!(unpacked(&packed), marks);
        let one = of(json!([{"run": "LVR"}]));
        assert_eq!(unpacked(&super::packed(&one)), one);
    }

    #[test]
    fn what_is_not_alike_is_left_as_it_is() {
        for values in [json!([]), json!([1, 2]), json!([{"x": 1}, {"y": 1}]), json!("made elsewhere")] {
            let spec = json!({"data": {"values": values}});
            assert_eq!(packed(&spec), spec);
            assert_eq!(unpacked(&spec), spec);
        }
        assert_eq!(packed(&json!({"layer": []})), json!({"layer": []}));
    }
}
