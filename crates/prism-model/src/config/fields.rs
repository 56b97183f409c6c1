//! Values of `config.json`, checked as they are read: sizes, numbers, flags, token ids. A refusal is
//! two phrases, what is wrong and what would be accepted.

use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Largest width, depth or vocabulary accepted: far above any released model,
/// far below anything whose products overflow.
pub(crate) const LIMIT: usize = 1 << 22;

/// Most layers or blocks.
pub(crate) const DEPTH: usize = 4096;

type Checked<T> = std::result::Result<T, [String; 2]>;

/// A whole number from 1 to [`LIMIT`].
pub(super) fn size(value: &Value) -> Checked<usize> {
    match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
        Some(n) if (1..=LIMIT).contains(&n) => Ok(n),
        _ => Err([format!("is {value}"), format!("give a whole number from 1 to {LIMIT}")]),
    }
}

/// A finite number, zero or above.
pub(super) fn number(value: &Value) -> Checked<f64> {
    match value.as_f64() {
        Some(x) if x.is_finite() && x >= 0.0 => Ok(x),
        _ => Err([format!("is {value}"), "give a finite number, zero or above".into()]),
    }
}

/// True or false.
pub(super) fn flag(value: &Value) -> Checked<bool> {
    value.as_bool().ok_or_else(|| [format!("is {value}"), "give true or false".into()])
}

/// Whole numbers that stand for blocks or layers.
fn indexes(value: &Value) -> Checked<Vec<usize>> {
    let of = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
    let all = value.as_array().map(|list| list.iter().map(of).collect::<Option<Vec<_>>>());
    all.flatten().ok_or_else(|| [format!("is {value}"), "give a list of whole numbers".into()])
}

/// A field of a family's own structure, that is checked when it is read.
macro_rules! field {
    ($(#[$doc:meta])* $name:ident($kind:ty), $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $name(pub $kind);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let value = Value::deserialize(deserializer)?;
                $check(&value).map(Self).map_err(|phrases| D::Error::custom(phrases.join("; ")))
            }
        }
    };
}

field!(
    /// A whole number from 1 on.
    Size(usize), size
);
field!(
    /// A finite number, zero or above.
    Number(f64), number
);
field!(
    /// True or false.
    Flag(bool), flag
);
field!(
    /// A list of blocks or layers.
    Indexes(Vec<usize>), indexes
);

/// An object of `config.json` that is read into a family's own structure.
pub(crate) struct Fields<'a> {
    /// The file, in messages.
    pub path: &'a Path,
    /// What a key is called in messages before its own name, e.g. `vision_config.`.
    pub prefix: &'static str,
}

impl Fields<'_> {
    /// The object as `T`, whose fields are all optional; `null` is absent.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key at fault.
    pub fn read<T: DeserializeOwned>(&self, object: Map<String, Value>) -> Result<T> {
        serde_path_to_error::deserialize(Value::Object(object)).map_err(|e| {
            let (key, message) = (e.path().to_string(), e.inner().to_string());
            let (cause, remedy) = message.rsplit_once("; ").unwrap_or((&message, "compare it with a released checkpoint's"));
            self.fail(&key, cause, remedy)
        })
    }

    pub fn fail(&self, key: &str, cause: impl Into<String>, remedy: impl Into<String>) -> Error {
        let key = format!("{}{key}", self.prefix);
        Error::Config { path: self.path.to_path_buf(), key, cause: cause.into(), remedy: remedy.into() }
    }

    /// # Errors
    /// The value is absent.
    pub fn need<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.fail(key, "is missing", "add it"))
    }

    /// A size that must be there.
    ///
    /// # Errors
    /// It is absent.
    pub fn size(&self, key: &str, value: Option<Size>) -> Result<usize> {
        Ok(self.need(key, value)?.0)
    }

    /// A number of layers or blocks.
    ///
    /// # Errors
    /// It is absent, or above [`DEPTH`].
    pub fn depth(&self, key: &str, value: Option<Size>) -> Result<usize> {
        match self.size(key, value)? {
            depth if depth > DEPTH => Err(self.fail(key, format!("is {depth}"), format!("give at most {DEPTH}"))),
            depth => Ok(depth),
        }
    }

    /// # Errors
    /// `divisor` does not divide `dividend`, the value of `of`.
    pub fn divides(&self, key: &str, divisor: usize, dividend: usize, of: &str) -> Result<()> {
        if !dividend.is_multiple_of(divisor) {
            return Err(self.fail(key, format!("is {divisor}, which does not divide {of} = {dividend}"), "give a divisor"));
        }
        Ok(())
    }

    /// # Errors
    /// The activation is another than `known`.
    pub fn activation(&self, value: Option<&str>, known: &str) -> Result<()> {
        match value {
            Some(other) if other != known => Err(self.fail("hidden_act", format!("is {other:?}"), format!("only {known} is known"))),
            _ => Ok(()),
        }
    }

    /// Numbers of blocks, all below `depth`.
    ///
    /// # Errors
    /// One is not.
    pub fn blocks(&self, key: &str, Indexes(blocks): Indexes, depth: usize) -> Result<Vec<usize>> {
        if blocks.iter().any(|&block| block >= depth) {
            return Err(self.fail(key, "names a block that does not exist", format!("give numbers below {depth}")));
        }
        Ok(blocks)
    }
}

/// `config.json` with the keys of `text_config` over those at the top: the two forms in which the
/// language model's sizes are written.
pub(crate) fn of_text(raw: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = raw.clone();
    let inner = raw.get("text_config").and_then(Value::as_object);
    merged.extend(inner.into_iter().flatten().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())));
    merged
}

/// `vision_config`.
///
/// # Errors
/// It is missing, or no object.
pub(crate) fn of_vision(raw: &Map<String, Value>, path: &Path) -> Result<Map<String, Value>> {
    let top = Fields { path, prefix: "" };
    let missing = || top.fail("vision_config", "is missing", "give the vision tower's sizes as an object");
    raw.get("vision_config").and_then(Value::as_object).cloned().ok_or_else(missing)
}

/// Rotary positions as the families write them, under `rope_scaling` or `rope_parameters`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Rope {
    #[serde(rename = "type")]
    kind: Option<Value>,
    rope_type: Option<Value>,
    rope_theta: Option<Number>,
    mrope_section: Option<Value>,
}

impl Rope {
    /// Frequencies of the temporal, height and width position, which sum to `half` a head.
    ///
    /// # Errors
    /// They do not, or the positions are of a kind that is not known.
    pub fn sections(&self, path: &Path, half: usize) -> Result<[usize; 3]> {
        let fields = Fields { path, prefix: "rope_scaling." };
        if let Some(kind) = self.rope_type.as_ref().or(self.kind.as_ref())
            && !matches!(kind.as_str(), Some("default" | "mrope"))
        {
            return Err(fields.fail("rope_type", format!("is {kind}"), "only default and mrope are known"));
        }
        let sections = self.mrope_section.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let sections: Vec<usize> = sections.iter().filter_map(|v| v.as_u64().map(|n| n as usize)).filter(|&n| n <= half).collect();
        let Ok(sections) = <[usize; 3]>::try_from(sections) else {
            return Err(fields.fail("mrope_section", "is missing or not three whole numbers", format!("give three that sum to {half}")));
        };
        if sections.iter().sum::<usize>() != half {
            return Err(fields.fail("mrope_section", format!("is {sections:?}"), format!("it must sum to half a head, {half}")));
        }
        Ok(sections)
    }

    /// Base of the frequencies: its own, else the one `beside` it, else `default`.
    ///
    /// # Errors
    /// It is below 1.
    pub fn theta(&self, path: &Path, beside: Option<&Number>, default: f64) -> Result<f64> {
        let theta = self.rope_theta.as_ref().or(beside).map_or(default, |theta| theta.0);
        if theta < 1.0 {
            return Err(Fields { path, prefix: "" }.fail("rope_theta", format!("is {theta}"), "give 1 or more"));
        }
        Ok(theta)
    }
}
