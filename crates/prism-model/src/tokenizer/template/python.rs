//! What templates under transformers get from Python: how values are written, and the functions transformers adds.
//! What Jinja2's own filters and Python's texts do otherwise is in [`super::texts`].

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value};

use super::dialect::MODULO;

/// Adds all of it.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.set_formatter(written);
    environment.add_filter("tojson", to_json);
    environment.add_filter("string", |value: &Value| match value.as_str() {
        Some(_) => Ok(value.clone()),
        None => text(value).map(Value::from),
    });
    environment.add_function("raise_exception", raise);
    environment.add_function("strftime_now", now);
    environment.add_function(MODULO, modulo);
}

/// A value where a template writes it, as Python's `str` has it.
fn written(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Ok(());
    }
    match value.as_str() {
        Some(text) => out.write_str(text),
        None => out.write_str(&text(value)?),
    }
    .map_err(Error::from)
}

/// Values nest no deeper: a namespace may hold itself.
const DEEPEST: usize = 64;

/// A value as Python's `str` writes it.
///
/// # Errors
/// It nests too deeply.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    text_at(value, 0)
}

fn text_at(value: &Value, depth: usize) -> Result<String, Error> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    let items = |open: &str, close: &str| {
        let items: Vec<String> = value.try_iter().into_iter().flatten().map(|item| repr(&item, depth + 1)).collect::<Result<_, _>>()?;
        let comma = if open == "(" && items.len() == 1 { "," } else { "" };
        Ok(format!("{open}{}{comma}{close}", items.join(", ")))
    };
    Ok(match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::None => "None".into(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.into(),
        ValueKind::Number if value.is_integer() => value.to_string(),
        ValueKind::Number => f64::try_from(value.clone()).map_or_else(|_| value.to_string(), float),
        ValueKind::Seq if value.is_tuple() => return items("(", ")"),
        ValueKind::Seq => return items("[", "]"),
        ValueKind::Map => {
            let keys: Vec<Value> = value.try_iter().into_iter().flatten().collect();
            let pair = |key: &Value| {
                let item = value.get_item(key).unwrap_or_default();
                Ok(format!("{}: {}", repr(key, depth + 1)?, repr(&item, depth + 1)?))
            };
            format!("{{{}}}", keys.iter().map(pair).collect::<Result<Vec<_>, Error>>()?.join(", "))
        }
        _ => value.to_string(),
    })
}

fn too_deep() -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("a value nests deeper than {DEEPEST} levels"))
}

/// A value as Python's `repr` writes it.
fn repr(value: &Value, depth: usize) -> Result<String, Error> {
    let Some(plain) = value.as_str() else { return text_at(value, depth) };
    let quote = if plain.contains('\'') && !plain.contains('"') { '"' } else { '\'' };
    let mut quoted = String::from(quote);
    for c in plain.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            c if c == quote => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    Ok(quoted)
}

/// A number as Python writes it.
fn float(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{value:?}")
}

/// How JSON is laid out.
struct Layout {
    ascii: bool,
    indent: Option<String>,
    between: String,
    behind_key: String,
    sorted: bool,
}

/// `tojson` of transformers: `json.dumps`, which escapes nothing for HTML and keeps the order of keys.
fn to_json(value: &Value, rest: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let argument = |name: &str, at: usize| -> Result<Option<Value>, Error> {
        let value = named.get::<Option<Value>>(name)?.or_else(|| rest.get(at).cloned());
        Ok(value.filter(|value| !value.is_none() && !value.is_undefined()))
    };
    let indent = argument("indent", 1)?.map(|value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => " ".repeat(usize::try_from(value).unwrap_or(0).min(64)),
    });
    let separators = argument("separators", 2)?;
    let separator = |at: usize, absent: &str| -> Result<String, Error> {
        let Some(both) = &separators else { return Ok(absent.to_owned()) };
        Ok(both.get_item_by_index(at)?.as_str().unwrap_or(absent).to_owned())
    };
    let layout = Layout {
        ascii: argument("ensure_ascii", 0)?.is_some_and(|value| value.is_true()),
        between: separator(0, if indent.is_some() { "," } else { ", " })?,
        behind_key: separator(1, ": ")?,
        indent,
        sorted: argument("sort_keys", 3)?.is_some_and(|value| value.is_true()),
    };
    named.assert_all_used()?;
    let mut out = String::new();
    json(value, &layout, 0, &mut out)?;
    Ok(Value::from(out))
}

fn json(value: &Value, layout: &Layout, depth: usize, out: &mut String) -> Result<(), Error> {
    let line = |depth: usize, out: &mut String| {
        if let Some(indent) = &layout.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    };
    if depth > DEEPEST {
        return Err(too_deep());
    }
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&match text(value)?.as_str() {
            "nan" => "NaN".to_owned(),
            "inf" => "Infinity".to_owned(),
            "-inf" => "-Infinity".to_owned(),
            number => number.to_owned(),
        }),
        ValueKind::String => quoted(value.as_str().unwrap_or_default(), layout.ascii, out),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            let mut any = false;
            for item in value.try_iter()? {
                if any {
                    out.push_str(&layout.between);
                }
                any = true;
                line(depth + 1, out);
                json(&item, layout, depth + 1, out)?;
            }
            if any {
                line(depth, out);
            }
            out.push(']');
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            if layout.sorted {
                keys.sort();
            }
            out.push('{');
            for (at, key) in keys.iter().enumerate() {
                if at > 0 {
                    out.push_str(&layout.between);
                }
                line(depth + 1, out);
                let name = match key.kind() {
                    ValueKind::None => "null".to_owned(),
                    ValueKind::Bool => key.to_string().to_lowercase(),
                    _ => text_of_key(key)?,
                };
                quoted(&name, layout.ascii, out);
                out.push_str(&layout.behind_key);
                json(&value.get_item(key)?, layout, depth + 1, out)?;
            }
            if !keys.is_empty() {
                line(depth, out);
            }
            out.push('}');
        }
        kind => return Err(Error::new(ErrorKind::InvalidOperation, format!("{kind} cannot be written as JSON"))),
    }
    Ok(())
}

fn text_of_key(key: &Value) -> Result<String, Error> {
    key.as_str().map_or_else(|| text(key), |plain| Ok(plain.to_owned()))
}

fn quoted(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if ascii && !c.is_ascii() => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// What a template says of messages that it does not take.
fn raise(message: &Value) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, format!("the template refuses these messages: {}", text_of_key(message)?)))
}

/// Today's date in the local time zone, as Python's `strftime` writes it.
fn now(pattern: &str) -> Result<Value, Error> {
    let now = jiff::Zoned::now();
    let broken = |error: jiff::Error| Error::new(ErrorKind::InvalidOperation, format!("strftime_now: {error}"));
    Ok(Value::from(jiff::fmt::strtime::format(pattern, &now).map_err(broken)?))
}

/// Python's `%`: a text formats, a number is divided.
fn modulo(left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(pattern) = left.as_str() {
        if super::texts::is_wide(pattern) {
            return Err(Error::new(ErrorKind::InvalidOperation, "a pattern has a field wider than any text"));
        }
        let args: Vec<Value> = match right.is_tuple() {
            true => right.try_iter()?.collect(),
            false => vec![right.clone()],
        };
        // `%s` writes what Python's `str` does.
        let plain = |value: Value| match value.kind() {
            ValueKind::None | ValueKind::Bool | ValueKind::Seq => text(&value).map(Value::from),
            ValueKind::Number if !value.is_integer() && !pattern.contains(['f', 'e', 'g']) => text(&value).map(Value::from),
            _ => Ok(value),
        };
        let args: Vec<Value> = args.into_iter().map(plain).collect::<Result<_, _>>()?;
        return Ok(Value::from(format(FormatStyle::Printf, pattern, &args)?));
    }
    let by_zero = || Error::new(ErrorKind::InvalidOperation, "division by zero");
    if left.is_integer() && right.is_integer() {
        let (a, b) = (i128::try_from(left.clone())?, i128::try_from(right.clone())?);
        let rest = a.checked_rem(b).ok_or_else(by_zero)?;
        return Ok(Value::from(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }));
    }
    let (a, b) = (f64::try_from(left.clone())?, f64::try_from(right.clone())?);
    if b == 0.0 {
        return Err(by_zero());
    }
    let rest = a % b;
    Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (value, wanted) in
            [(1.0, "1.0"), (1e16, "1e+16"), (1e-5, "1e-05"), (0.1, "0.1"), (-2.5e-7, "-2.5e-07"), (123456.0, "123456.0"), (0.0, "0.0")]
        {
            assert_eq!(float(value), wanted);
        }
    }
}
