//! The protocols that are shipped, and reading one: a preset by its id or a file of one's own, with
//! single keys set otherwise.

use std::path::{Path, PathBuf};

use super::Protocol;
use crate::{Error, Result, safe_toml};

const PRESETS: [(&str, &str); 11] = [
    ("lvr", include_str!("../../../../protocols/lvr.toml")),
    ("p-lvr", include_str!("../../../../protocols/p-lvr.toml")),
    ("monet", include_str!("../../../../protocols/monet.toml")),
    ("mirage", include_str!("../../../../protocols/mirage.toml")),
    ("skila", include_str!("../../../../protocols/skila.toml")),
    ("ilvr", include_str!("../../../../protocols/ilvr.toml")),
    ("laser", include_str!("../../../../protocols/laser.toml")),
    ("swimbird", include_str!("../../../../protocols/swimbird.toml")),
    ("realvr", include_str!("../../../../protocols/realvr.toml")),
    ("colt", include_str!("../../../../protocols/colt.toml")),
    ("ivtlr", include_str!("../../../../protocols/ivtlr.toml")),
];

impl Protocol {
    /// Ids of the protocols Prism ships.
    pub fn preset_ids() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(id, _)| *id)
    }

    /// A shipped protocol by id, or one read from a TOML file.
    ///
    /// # Errors
    /// When there is no such protocol, or the file is not one.
    pub fn load(id_or_path: &str) -> Result<Self> {
        Self::load_with(id_or_path, &[])
    }

    /// The same with keys set otherwise: `("repetition", "3")`, `("blocks.0.insert", "8")`. A value is
    /// read as TOML; what is none is a text.
    ///
    /// # Errors
    /// As [`Protocol::load`], and when a key does not exist or a value does not go there.
    pub fn load_with(id_or_path: &str, set: &[(String, String)]) -> Result<Self> {
        let (text, path) = text_of(id_or_path)?;
        if set.is_empty() {
            return Self::parse(&text, &path);
        }
        // What is wrong with the file itself is said of the file.
        Self::parse(&text, &path)?;
        let damaged = |e: String| Error::content(&path, e, "correct the TOML");
        let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| damaged(e.message().to_string()))?;
        for (key, value) in set {
            put(&mut table, key, value).map_err(|cause| refused(key, cause))?;
        }
        let keys: Vec<String> = set.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let text = toml::to_string(&table).map_err(|e| damaged(e.to_string()))?;
        Self::parse(&text, &path).map_err(|e| refused(&keys.join(", "), e.to_string()))
    }

    /// Reads and checks `text` (of `path`, named in messages).
    ///
    /// # Errors
    /// [`Error::Content`] naming the key at fault.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let protocol: Self = safe_toml::from_str(text, path)?;
        match protocol.fault() {
            None => Ok(protocol),
            Some((key, cause, remedy)) => Err(Error::content(path, format!("key `{key}` {cause}"), remedy)),
        }
    }
}

fn text_of(id_or_path: &str) -> Result<(String, PathBuf)> {
    match PRESETS.iter().find(|(id, _)| *id == id_or_path) {
        Some((id, text)) => Ok(((*text).to_string(), PathBuf::from(format!("protocols/{id}.toml")))),
        None if id_or_path.ends_with(".toml") => {
            let path = Path::new(id_or_path);
            Ok((crate::door::read_named(path, crate::door::Limit::Recipe)?, path.to_path_buf()))
        }
        None => {
            let ids: Vec<_> = Protocol::preset_ids().collect();
            Err(Error::Value {
                what: "protocol",
                value: id_or_path.into(),
                cause: "is not a preset".into(),
                remedy: format!("use one of {} or the path of a .toml file", ids.join(", ")),
            })
        }
    }
}

fn refused(key: &str, cause: String) -> Error {
    Error::Value { what: "--set", value: key.into(), cause, remedy: "the keys are listed in docs/reference/protocols.md".into() }
}

/// Sets `key`, a path of names and, in a list, numbers.
fn put(table: &mut toml::Table, key: &str, value: &str) -> std::result::Result<(), String> {
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut one| one.remove("v"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_string()));
    let (path, last) = key.rsplit_once('.').map_or((None, key), |(path, last)| (Some(path), last));
    let mut here = table;
    let mut names = path.into_iter().flat_map(|path| path.split('.')).peekable();
    while let Some(name) = names.next() {
        let next = here.entry(name).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        here = match next {
            toml::Value::Table(inner) => inner,
            toml::Value::Array(list) => {
                let at = names.next().and_then(|name| name.parse::<usize>().ok());
                let found = at.and_then(|at| list.get_mut(at)).and_then(toml::Value::as_table_mut);
                found.ok_or_else(|| format!("`{name}` is a list: say which of it, as in {name}.0.{last}"))?
            }
            _ => return Err(format!("`{name}` holds no keys")),
        };
    }
    here.insert(last.to_string(), value);
    Ok(())
}
