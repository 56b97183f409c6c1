//! Which modules an adapter is of, and whose rank or scale is another, as peft matches names: lists by their last
//! parts, texts as Python regular expressions. Matching is bounded, since the patterns are a stranger's.

use fancy_regex::{Regex, RegexBuilder};

/// Longest pattern.
const MOST_LENGTH: usize = 16 << 10;
/// Steps back that a match may take.
const MOST_STEPS: usize = 100_000;
/// Most patterns of a key.
const MOST_PATTERNS: usize = 10_000;

fn compile(key: &str, pattern: &str, whole: String) -> Result<Regex, String> {
    if pattern.len() > MOST_LENGTH {
        return Err(format!("`{key}` has a pattern of {} bytes; give names, or shorter ones", pattern.len()));
    }
    let built = RegexBuilder::new(&whole).backtrack_limit(MOST_STEPS).delegate_size_limit(1 << 20).build();
    built.map_err(|e| format!("`{key}` has the pattern {pattern:?}, which is no regular expression ({e}); give names"))
}

fn matches(key: &str, regex: &Regex, name: &str) -> Result<bool, String> {
    regex.is_match(name).map_err(|e| format!("`{key}` has a pattern that takes too long on {name} ({e}); give names"))
}

/// Numbers by pattern, in the order in which they are tried.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    key: &'static str,
    entries: Vec<(Regex, f64)>,
}

impl Patterns {
    pub fn new(key: &'static str, entries: Vec<(String, f64)>) -> Result<Self, String> {
        if entries.len() > MOST_PATTERNS {
            return Err(format!("`{key}` has {} patterns; give at most {MOST_PATTERNS}", entries.len()));
        }
        let compiled = entries.into_iter().map(|(pattern, number)| match number.is_finite() {
            true => Ok((compile(key, &pattern, format!(r"^(?:.*\.)?(?:{pattern})$"))?, number)),
            false => Err(format!("`{key}` has {number}; give finite numbers")),
        });
        Ok(Self { key, entries: compiled.collect::<Result<_, _>>()? })
    }

    /// The number of the first pattern that fits the module.
    pub fn find(&self, module: &str) -> Result<Option<f64>, String> {
        for (regex, number) in &self.entries {
            if matches(self.key, regex, module)? {
                return Ok(Some(*number));
            }
        }
        Ok(None)
    }
}

/// A pattern for whole names, and names by their last parts: one of the two is empty.
type Written = (Option<String>, Vec<String>);

#[derive(Debug, Clone)]
struct Names {
    key: &'static str,
    pattern: Option<Regex>,
    names: Vec<String>,
}

impl Names {
    fn new(key: &'static str, (pattern, names): Written) -> Result<Self, String> {
        let pattern = pattern.map(|p| compile(key, &p, format!(r"^(?:{p})\z"))).transpose()?;
        Ok(Self { key, pattern, names })
    }

    fn has(&self, module: &str) -> Result<bool, String> {
        if let Some(pattern) = &self.pattern {
            return matches(self.key, pattern, module);
        }
        let ends = |name: &String| module.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        Ok(self.names.iter().any(ends))
    }
}

/// The modules that an adapter is of.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    /// All of them.
    all: bool,
    wanted: Names,
    excluded: Names,
    layers: Vec<u64>,
    layer_names: Vec<Regex>,
}

impl Targets {
    pub fn new(wanted: Written, excluded: Written, layers: Vec<u64>, layer_names: Vec<String>) -> Result<Self, String> {
        // Written out by hand; peft itself saves the names that it came to.
        let all = wanted.0.as_deref() == Some("all-linear");
        let wanted = if all { (None, Vec::new()) } else { wanted };
        let layer_names: Vec<Regex> = match layer_names.is_empty() {
            true => vec![compile("layers_pattern", "", r"^.*?\.[^.]*\.(\d+)\.".into())?],
            false => {
                let compiled = layer_names.iter().map(|name| compile("layers_pattern", name, format!(r"^(?:|.*?\.)(?:{name})\.(\d+)\.")));
                compiled.collect::<Result<_, _>>()?
            }
        };
        let (wanted, excluded) = (Names::new("target_modules", wanted)?, Names::new("exclude_modules", excluded)?);
        Ok(Self { all, wanted, excluded, layers, layer_names })
    }

    /// Whether they are listed by name.
    pub fn is_list(&self) -> bool {
        !self.all && self.wanted.pattern.is_none()
    }

    /// Whether the module of that name is one.
    pub fn has(&self, module: &str) -> Result<bool, String> {
        if self.excluded.has(module)? || !(self.all || self.wanted.has(module)?) {
            return Ok(false);
        }
        if self.layers.is_empty() || self.wanted.pattern.is_some() {
            return Ok(true);
        }
        for regex in &self.layer_names {
            let found = regex.captures(module).map_err(|e| format!("`layers_pattern` takes too long on {module} ({e}); give names"))?;
            if let Some(number) = found.and_then(|found| found.get(1)?.as_str().parse::<u64>().ok()) {
                return Ok(self.layers.contains(&number));
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Written {
        (None, names.iter().map(|n| (*n).to_owned()).collect())
    }

    fn pattern(pattern: &str) -> Written {
        (Some(pattern.to_owned()), Vec::new())
    }

    #[test]
    fn lists_are_matched_by_their_last_parts_and_texts_as_a_whole() {
        let list = Targets::new(names(&["q_proj", "attn.proj"]), names(&["layers.1.q_proj"]), vec![], vec![]).unwrap();
        let has = |targets: &Targets, name: &str| targets.has(name).unwrap();
        assert!(has(&list, "q_proj") && has(&list, "model.layers.0.q_proj") && has(&list, "a.attn.proj"));
        assert!(!has(&list, "model.layers.1.q_proj") && !has(&list, "xq_proj") && !has(&list, "patch_embed.proj"));
        let text = Targets::new(pattern(r"(?!.*visual).*\.(q|v)_proj"), names(&[]), vec![], vec![]).unwrap();
        assert!(has(&text, "model.q_proj") && !has(&text, "model.visual.q_proj") && !has(&text, "model.q_proj.x"));
        let layers = Targets::new(names(&["q_proj"]), names(&[]), vec![1], vec!["layers".into()]).unwrap();
        assert!(has(&layers, "model.layers.1.q_proj") && !has(&layers, "model.layers.0.q_proj") && !has(&layers, "model.blocks.1.q_proj"));
        let all = Targets::new(pattern("all-linear"), names(&[]), vec![], vec![]).unwrap();
        assert!(has(&all, "anything"));
    }

    #[test]
    fn a_pattern_that_would_not_end_is_stopped() {
        let text = Targets::new(pattern(r"(a*)*\1b(?=c)"), names(&[]), vec![], vec![]).unwrap();
        let told = text.has(&"a".repeat(40)).unwrap_err();
        assert!(told.contains("`target_modules`") && told.contains("too long"), "{told}");
        assert!(Targets::new(pattern(&"a".repeat(MOST_LENGTH + 1)), names(&[]), vec![], vec![]).is_err());
        assert!(Patterns::new("rank_pattern", vec![("a".into(), f64::NAN)]).is_err());
    }
}
