//! LoRA adapters as peft saves them, merged as the weights are read: no second copy of the model is made, and a tensor
//! that an adapter does not change is read as before.
//!
//! An adapter lies beside its base's weights in one folder, or [`place`] puts the two together. Which of its tensors
//! changes what is worked out from names and shapes alone ([`Adapter::open`]), so that everything that is wrong is told
//! before a weight is read. The reference is peft's `merge_and_unload`.

mod config;
mod merge;
pub mod place;
mod stored;
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value};

use self::config::AdapterConfig;
pub use self::config::CONFIG;
use self::merge::{Change, Pair};
pub use self::stored::WEIGHTS;
use self::stored::{Role, StoredAdapter, role};
use super::memory_name;
use crate::config::ties;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// The input matrix, by its name in memory.
pub(super) const INPUT: &str = "model.language_model.embed_tokens.weight";
/// The output matrix.
pub(super) const OUTPUT: &str = "lm_head.weight";

/// Weights that some trainers save beside an adapter, pickled.
const BESIDE: [&str; 2] = ["non_lora_state_dict.bin", "non_lora_trainables.bin"];

/// The base's tensors, as far as an adapter asks: shapes by name in memory.
pub(super) type Shapes<'a> = dyn Fn(&str) -> Option<Vec<usize>> + 'a;

/// An adapter over a base.
pub struct Adapter {
    stored: StoredAdapter,
    changes: BTreeMap<String, Change>,
    apart: bool,
    /// What does not stop it and should be known, one line each.
    pub notes: Vec<String>,
}

/// Whether a folder holds an adapter.
pub fn is_in(folder: &Path) -> bool {
    folder.join(CONFIG).is_file()
}

impl Adapter {
    /// The adapter in `folder` over a base that has `names`, of these `shapes`; every reason why it cannot be merged.
    pub(super) fn open(folder: &Path, names: &[&str], head_apart: bool, shapes: &Shapes<'_>) -> std::result::Result<Self, Vec<String>> {
        let config = AdapterConfig::read(folder)?;
        let stored = StoredAdapter::open(folder)?;
        let mut reading = Reading { config: &config, stored: &stored, shapes, faults: Vec::new(), notes: Vec::new() };
        for name in BESIDE.iter().filter(|name| folder.join(name).is_file()) {
            let why = "holds weights that were trained beside the adapter, pickled, and without them this is another model";
            reading.faults.push(format!("{name}: {why}; merge all of it with the trainer's own script and save that"));
        }
        if !config.unknown.is_empty() {
            reading.notes.push(format!("{CONFIG}: not known, and not applied: {}", config.unknown.join(", ")));
        }
        let tied = is_tied(folder, head_apart);
        let mut changes = reading.changes(names, tied);
        let apart = tied && !config.ensure_tied && [INPUT, OUTPUT].iter().any(|name| reading.is_own(name, &changes));
        if tied
            && !apart
            && let Some(last) = changes.get(OUTPUT).and_then(|change| change.whole.clone())
        {
            // One matrix, stored twice: the output matrix is read last.
            changes.entry(INPUT.into()).or_default().whole = Some(last);
        }
        let Reading { faults, notes, .. } = reading;
        match faults.is_empty() {
            true => Ok(Self { stored, changes, apart, notes }),
            false => Err(faults),
        }
    }

    /// Whether a tensor of the base is changed, or is new.
    pub(super) fn changes(&self, name: &str) -> bool {
        self.changes.contains_key(name)
    }

    /// Whether it makes two of an input and an output matrix that are one in the base.
    pub(super) fn sets_apart(&self) -> bool {
        self.apart
    }

    /// Tensors that are changed, sorted.
    pub fn changed(&self) -> impl Iterator<Item = &str> {
        self.changes.keys().map(String::as_str)
    }

    /// Shape and dtype of a tensor that is stored whole; `None` where the base's hold.
    pub(super) fn whole(&self, name: &str) -> Option<(&[usize], &str)> {
        let stored = self.stored.tensors.get(self.changes.get(name)?.whole.as_ref()?)?;
        Some((stored.shape.as_slice(), stored.dtype.as_str()))
    }

    /// Bytes of its file.
    pub(super) fn bytes(&self) -> usize {
        self.stored.bytes()
    }

    /// The merged tensor; `base` in single precision, `None` where the base has none.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub(super) fn merged(&self, name: &str, base: Option<Tensor>) -> Result<Tensor> {
        let change = self.changes.get(name).ok_or_else(|| Error::input(name, "is not changed by the adapter", "report this as a bug"))?;
        change.apply(name, base, &self.stored)
    }
}

/// Whether the base's input and output matrix are one; damaged files are told elsewhere.
fn is_tied(folder: &Path, head_apart: bool) -> bool {
    let bytes = prism_run::door::read_linked(&folder.join("config.json"), prism_run::door::Limit::Settings).ok();
    let raw: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let newer = |raw: &Map<String, Value>| ties::release(raw).is_some_and(|release| release >= 5);
    raw.as_ref().and_then(Value::as_object).is_some_and(|raw| ties::of(raw) && !(newer(raw) && head_apart))
}

/// An adapter that is being read.
struct Reading<'a> {
    config: &'a AdapterConfig,
    stored: &'a StoredAdapter,
    shapes: &'a Shapes<'a>,
    faults: Vec<String>,
    notes: Vec<String>,
}

/// Tensors of one module by their part, with their stored names.
type Parts = BTreeMap<(Role, String), String>;

impl Reading<'_> {
    /// Changes by the name in memory.
    fn changes(&mut self, names: &[&str], tied: bool) -> BTreeMap<String, Change> {
        let mut modules: BTreeMap<String, Parts> = BTreeMap::new();
        let mut called: BTreeMap<String, String> = BTreeMap::new();
        for name in self.stored.tensors.keys() {
            match role(name) {
                Ok(Some((module, parameter, role))) => {
                    let here = memory_name(&format!("{module}.{parameter}"));
                    if let Some(other) = called.insert(format!("{role:?} {here}"), name.clone()) {
                        self.faults.push(format!("{WEIGHTS}: `{name}` and `{other}` are the same tensor; copy the adapter again"));
                    }
                    modules.entry(module).or_default().insert((role, parameter), name.clone());
                }
                Ok(None) => {}
                Err(fault) => self.faults.push(fault),
            }
        }
        let mut changes = BTreeMap::new();
        for (module, parts) in &modules {
            if let Err(fault) = self.module(module, parts, &mut changes) {
                self.faults.push(format!("{WEIGHTS}: {fault}"));
            }
        }
        self.check_ties(tied, &mut changes);
        self.tell_absent(names, &changes);
        changes
    }

    /// Whether the tensor is stored whole because its module was trained whole.
    fn is_own(&self, name: &str, changes: &BTreeMap<String, Change>) -> bool {
        let module = name.strip_suffix(".weight").unwrap_or(name);
        self.config.is_whole(module) && changes.get(name).is_some_and(|change| change.whole.is_some())
    }

    fn shape(&self, stored: &str) -> &[usize] {
        self.stored.tensors.get(stored).map(|stored| stored.shape.as_slice()).unwrap_or_default()
    }

    fn module(&mut self, module: &str, parts: &Parts, changes: &mut BTreeMap<String, Change>) -> std::result::Result<(), String> {
        let part = |role: Role| parts.iter().find(|((r, _), _)| *r == role).map(|(_, name)| name.clone());
        let weight = memory_name(&format!("{module}.weight"));
        let paired = part(Role::First).or(part(Role::Second)).or(part(Role::EmbeddingFirst)).or(part(Role::EmbeddingSecond)).is_some();
        for ((role, parameter), name) in parts.iter().filter(|((role, _), _)| matches!(role, Role::Whole | Role::Below)) {
            let here = memory_name(&if module.is_empty() { parameter.clone() } else { format!("{module}.{parameter}") });
            // Where peft looks for it depends on whether it wraps the module.
            if paired != (*role == Role::Below) && !self.is_wrapped(module, parts) {
                self.notes.push(format!("{WEIGHTS}: `{name}` is left out, as peft leaves it out: the module has another form"));
                continue;
            }
            let shape = self.shape(name);
            if let Some(base) = (self.shapes)(&here)
                && base != shape
                && !((here == INPUT || here == OUTPUT) && shape.len() == 2 && base.len() == 2 && shape.get(1) == base.get(1))
            {
                return Err(format!("`{name}` is {shape:?}, the base has {base:?}; give the base that the adapter was trained on"));
            }
            changes.entry(here).or_default().whole = Some(name.clone());
        }
        let height = |changes: &BTreeMap<String, Change>| -> Option<Vec<usize>> {
            let whole = changes.get(&weight).and_then(|change| change.whole.as_ref()).map(|stored| self.shape(stored).to_vec());
            whole.or_else(|| (self.shapes)(&weight))
        };
        if let Some(name) = part(Role::Rows) {
            let rows = self.rows(module)?;
            let base = height(changes).ok_or_else(|| format!("`{name}`: the base has no {weight}"))?;
            let fits = base.len() == 2 && self.shape(&name) == [rows.len(), base.get(1).copied().unwrap_or(0)];
            if !fits || rows.iter().any(|row| base.first().is_none_or(|height| row >= height)) {
                return Err(format!("`{name}` is {:?} for the rows {rows:?} of {base:?}; copy the adapter again", self.shape(&name)));
            }
            changes.entry(weight.clone()).or_default().rows = Some((rows, name));
        }
        if !paired {
            return match part(Role::Magnitude).or(part(Role::PairBias)) {
                Some(name) => Err(format!("`{name}` has no pair of matrices; copy the adapter again")),
                None => Ok(()),
            };
        }
        if !self.is_target(module)? {
            self.notes
                .push(format!("{WEIGHTS}: {module} is left out, as peft leaves it out: {CONFIG} does not name it in `target_modules`"));
            return Ok(());
        }
        let embedding = part(Role::EmbeddingFirst).is_some() || part(Role::EmbeddingSecond).is_some();
        let roles = if embedding { [Role::EmbeddingFirst, Role::EmbeddingSecond] } else { [Role::First, Role::Second] };
        let [Some(first), Some(second)] = roles.map(part) else {
            return Err(format!("of the two matrices of {module} one is missing; copy the adapter again"));
        };
        let base = height(changes).ok_or_else(|| format!("{module} is not in the base; give the base that the adapter was trained on"))?;
        let (rank, scale) = self.config.rank_and_scale(module).map_err(|fault| format!("{CONFIG}: {fault}"))?;
        let rest = |shape: &[usize]| shape.iter().skip(1).try_fold(1usize, |n, side| n.checked_mul(*side));
        let (a, b) = (self.shape(&first), self.shape(&second));
        let wanted = if embedding { [rest(&base), base.first().copied()] } else { [base.first().copied(), rest(&base)] };
        let found = [b.first().copied(), rest(a)];
        if base.len() < 2 || a.first() != Some(&rank) || rest(b) != Some(rank) || wanted != found {
            return Err(format!(
                "`{first}` {a:?} and `{second}` {b:?} are no pair of rank {rank} for {base:?}; give the adapter's own {CONFIG} and base"
            ));
        }
        let magnitude = part(Role::Magnitude);
        match (&magnitude, self.config.dora) {
            (None, true) => return Err(format!("{module} has no `lora_magnitude_vector`, and `use_dora` is true; copy the adapter again")),
            (Some(name), false) => return Err(format!("`{name}` is there, and `use_dora` is false; give the adapter's own {CONFIG}")),
            (Some(name), true) => {
                let lengths = self.shape(name).iter().try_fold(1usize, |n, side| n.checked_mul(*side));
                if lengths != if embedding { rest(&base) } else { base.first().copied() } {
                    return Err(format!("`{name}` is {:?} for {base:?}; copy the adapter again", self.shape(name)));
                }
            }
            (None, false) => {}
        }
        changes.entry(weight).or_default().pair = Some(Pair { first, second, turned: embedding, scale, magnitude });
        if let Some(name) = part(Role::PairBias) {
            let here = memory_name(&format!("{module}.bias"));
            match (self.shapes)(&here) {
                Some(base) if base == self.shape(&name) => changes.entry(here).or_default().bias = Some((name, scale)),
                _ => return Err(format!("`{name}` cannot be merged: the base has no bias of that shape, and peft refuses it too")),
            }
        }
        Ok(())
    }

    /// Whether the module's own tensors stand under another name than in the base: it has a pair, is stored whole, or
    /// has rows of its own.
    fn is_wrapped(&self, module: &str, parts: &Parts) -> bool {
        self.config.is_whole(module) || parts.keys().any(|(role, _)| *role == Role::Rows)
    }

    fn is_target(&self, module: &str) -> std::result::Result<bool, String> {
        // A pattern may have been written for either of the two ways in which these models' modules are called.
        let here = memory_name(module);
        let found = [module, &here].into_iter().map(|name| self.config.targets.has(name)).collect::<std::result::Result<Vec<_>, _>>();
        Ok(found.map_err(|fault| format!("{CONFIG}: {fault}"))?.contains(&true))
    }

    fn rows(&self, module: &str) -> std::result::Result<Vec<usize>, String> {
        let of = |name: &str| module.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let found = self.config.tokens.iter().find(|(name, _)| of(name));
        Ok(found.ok_or_else(|| format!("{module} has rows of its own, and {CONFIG} has no `trainable_token_indices` for it"))?.1.clone())
    }

    /// Where input and output matrix are one, what changes one of them changes both, or makes them two.
    fn check_ties(&mut self, tied: bool, changes: &mut BTreeMap<String, Change>) {
        if !tied {
            return;
        }
        for name in [INPUT, OUTPUT] {
            let Some(change) = changes.get(name) else { continue };
            if change.pair.is_some() || (name == OUTPUT && change.rows.is_some()) {
                let why =
                    "is adapted in a model whose input and output matrix are one, where a merge changes both and the adapter by itself one";
                let remedy = "merge it as it was trained, with `tie_word_embeddings` false, and save that";
                self.faults.push(format!("{WEIGHTS}: {name} {why}; {remedy}"));
            }
        }
    }

    /// Names what a list of targets asks for and the file does not hold: half an adapter.
    fn tell_absent(&mut self, names: &[&str], changes: &BTreeMap<String, Change>) {
        if self.faults.is_empty() && self.config.targets.is_list() {
            let absent = names.iter().filter_map(|name| name.strip_suffix(".weight")).filter(|module| {
                let there = changes.get(&format!("{module}.weight")).is_some_and(|change| change.pair.is_some());
                !there
                    && (self.shapes)(&format!("{module}.weight")).is_some_and(|shape| shape.len() == 2)
                    && !self.config.is_whole(module)
                    && self.config.targets.has(module).unwrap_or(false)
            });
            let absent: BTreeSet<&str> = absent.collect();
            if !absent.is_empty() {
                let some: Vec<&str> = absent.iter().take(4).copied().collect();
                let more = if absent.len() > 4 { format!(" and {} more", absent.len() - 4) } else { String::new() };
                self.notes
                    .push(format!("{WEIGHTS}: nothing for {}{more}, which `target_modules` names: they stay the base's", some.join(", ")));
            }
        }
    }
}

/// `config.json` of a folder with an adapter: the vocabulary is as long as the matrices that the adapter brings, and input
/// and output matrix are two where it brings one of them trained by itself.
pub(crate) fn reshape(folder: &Path, raw: &mut Map<String, Value>) {
    if !is_in(folder) {
        return;
    }
    // What is wrong with them is told by `Adapter::open`.
    let (Ok(config), Ok(stored)) = (AdapterConfig::read(folder), StoredAdapter::open(folder)) else { return };
    let (mut rows, mut apart) = (None, false);
    for (name, tensor) in &stored.tensors {
        let Ok(Some((module, parameter, Role::Whole | Role::Below))) = role(name) else { continue };
        let here = memory_name(&format!("{module}.{parameter}"));
        if here == INPUT || here == OUTPUT {
            rows = tensor.shape.first().copied().filter(|_| tensor.shape.len() == 2).or(rows);
            apart |= config.is_whole(&module) && !config.ensure_tied;
        }
    }
    let mut set = |key: &str, value: Value| {
        if let Some(Value::Object(text)) = raw.get_mut("text_config") {
            text.insert(key.to_owned(), value.clone());
        }
        if raw.contains_key(key) || !raw.contains_key("text_config") {
            raw.insert(key.to_owned(), value);
        }
    };
    if let Some(rows) = rows {
        set("vocab_size", rows.into());
    }
    if apart {
        set(ties::KEY, false.into());
    }
}
