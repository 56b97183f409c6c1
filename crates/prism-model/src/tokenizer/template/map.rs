//! A mapping that a template sees in the order in which it was made, as Python's are.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

/// Keys and values in their order.
#[derive(Debug)]
pub(super) struct Map(Vec<(Value, Value)>);

impl Map {
    /// A mapping of these, as a template's value.
    pub(super) fn value<K: Into<Value>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::from_object(Self(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }
}

impl Object for Map {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(key, _)| key.clone()).collect())
    }
}
