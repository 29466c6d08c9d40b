//! JSON merge patch (RFC 7396): how changes of settings are expressed, applied and stored.
//!
//! One rule differs from the RFC: an object with a `kind` field is replaced as a whole, because its other fields depend on the
//! kind.

use serde_json::{Map, Value};

/// The patch that changes nothing.
pub(super) fn empty() -> Value {
    Value::Object(Map::new())
}

/// Applies a patch. `null` removes a value.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) if !patch.contains_key("kind") => {
            for (name, change) in patch {
                if change.is_null() {
                    target.remove(name);
                } else {
                    // Into an object even where there was nothing: a `null` within removes nothing then.
                    merge(target.entry(name.clone()).or_insert_with(empty), change);
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

/// The patch that turns `old` into `new`; `None` when they are equal. Values that `new` lacks are not removed by it.
pub(super) fn difference(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if !new.contains_key("kind") => {
            let changed: Map<String, Value> = new
                .iter()
                .filter_map(|(name, value)| {
                    let difference = match old.get(name) {
                        Some(old) => difference(old, value),
                        None => Some(value.clone()),
                    };
                    difference.map(|value| (name.clone(), value))
                })
                .collect();
            (!changed.is_empty()).then_some(Value::Object(changed))
        }
        (old, new) => (old != new).then(|| new.clone()),
    }
}
