//! The schema of a tool's arguments: whether it is one that a provider takes.

use serde_json::{Map, Value};

/// The deepest nesting. Providers refuse less than JSON parsers do.
const MAX_DEPTH: usize = 32;
const TYPES: &[&str] = &["array", "boolean", "integer", "null", "number", "object", "string"];
/// Keywords whose value is a schema, a list of schemas, or an object of schemas.
const ONE: &[&str] = &["additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"];
const LIST: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
const NAMED: &[&str] = &["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// Checks the schema of arguments and completes it: it describes an object, and says so.
///
/// # Errors
/// With the reason, a part of a sentence, when it is none.
pub(super) fn checked(mut schema: Map<String, Value>, max_bytes: usize) -> Result<Value, String> {
    if !schema.contains_key("type") {
        schema.insert("type".into(), "object".into());
    }
    if schema["type"] != "object" {
        return Err("its arguments are no object".into());
    }
    if !schema.contains_key("properties") {
        schema.insert("properties".into(), Value::Object(Map::new()));
    }
    let schema = Value::Object(schema);
    check(&schema, &schema, MAX_DEPTH)?;
    match schema.to_string().len() {
        length if length > max_bytes => Err(format!("its schema has {length} bytes, and {max_bytes} are allowed")),
        _ => Ok(schema),
    }
}

fn check(schema: &Value, root: &Value, depth: usize) -> Result<(), String> {
    let keywords = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(keywords) if depth > 0 => keywords,
        Value::Object(_) => return Err("its schema is nested too deeply".into()),
        _ => return Err("its schema has something else where a schema must be".into()),
    };
    for (keyword, value) in keywords {
        let keyword = keyword.as_str();
        let wrong = || Err(format!("its schema has a wrong `{keyword}`"));
        match (keyword, value) {
            ("type", Value::String(name)) if TYPES.contains(&name.as_str()) => {}
            ("type", Value::Array(names)) if names.iter().all(|name| TYPES.iter().any(|known| name == known)) => {}
            ("type", _) => return wrong(),
            ("required", Value::Array(names)) if names.iter().all(Value::is_string) => {}
            // Draft 4 has `required: true` within a property.
            ("required", Value::Bool(_)) => {}
            ("required", _) => return wrong(),
            ("enum", Value::Array(_)) => {}
            ("enum", _) => return wrong(),
            ("description" | "title" | "format" | "pattern", Value::String(_)) => {}
            ("description" | "title" | "format" | "pattern", _) => return wrong(),
            // Nothing is fetched: a reference stays within the schema.
            ("$ref" | "$dynamicRef", Value::String(to)) => match to.strip_prefix('#') {
                Some(pointer) if root.pointer(pointer).is_some() => {}
                _ => return Err("its schema refers to something that is not in it".into()),
            },
            ("$ref" | "$dynamicRef", _) => return wrong(),
            ("items", Value::Array(schemas)) => check_all(schemas, root, depth)?,
            (one, schema) if ONE.contains(&one) => check(schema, root, depth - 1)?,
            (list, Value::Array(schemas)) if LIST.contains(&list) => check_all(schemas, root, depth)?,
            (list, _) if LIST.contains(&list) => return wrong(),
            (named, Value::Object(schemas)) if NAMED.contains(&named) => check_all(schemas.values(), root, depth)?,
            (named, _) if NAMED.contains(&named) => return wrong(),
            _ => {}
        }
    }
    Ok(())
}

fn check_all<'a>(schemas: impl IntoIterator<Item = &'a Value>, root: &Value, depth: usize) -> Result<(), String> {
    schemas.into_iter().try_for_each(|schema| check(schema, root, depth - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(schema: Value) -> Result<Value, String> {
        let Value::Object(schema) = schema else { panic!("an object") };
        checked(schema, 4_096)
    }

    #[test]
    fn usual_schemas_are_taken_and_completed() {
        assert_eq!(check(json!({})), Ok(json!({"type": "object", "properties": {}})));
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where", "enum": ["Berlin", "Rome"]},
                "days": {"type": ["integer", "null"], "minimum": 1},
                "any": true,
                "next": {"$ref": "#/$defs/node"},
            },
            "$defs": {"node": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}},
            "required": ["city"],
            "additionalProperties": false,
        });
        assert_eq!(check(schema.clone()), Ok(schema));
    }

    #[test]
    fn false_schemas_are_rejected() {
        let mut deep = json!({});
        for _ in 0..100 {
            deep = json!({"type": "object", "properties": {"a": deep}});
        }
        let false_ones = [
            json!({"type": "string"}),
            json!({"type": "object", "properties": []}),
            json!({"properties": {"a": "string"}}),
            json!({"properties": {"a": {"type": "text"}}}),
            json!({"properties": {"a": {"type": 5}}}),
            json!({"properties": {"a": {"$ref": "https://example.com/schema.json"}}}),
            json!({"properties": {"a": {"$ref": "#/$defs/none"}}}),
            json!({"properties": {"a": {"anyOf": {}}}}),
            json!({"properties": {"a": {"enum": "b"}}}),
            json!({"required": "a"}),
            json!({"description": "a".repeat(5_000)}),
            deep,
        ];
        for schema in false_ones {
            let text = schema.to_string();
            assert!(check(schema).is_err(), "{}", &text[..text.len().min(200)]);
        }
    }

    proptest! {
        #[test]
        fn any_value_is_judged(keys in proptest::collection::vec("type|items|\\$ref|anyOf|properties|x", 0..6), leaf in "#?/?[a-z]{0,6}") {
            let mut value = json!(leaf);
            for (index, key) in keys.iter().enumerate() {
                value = if index % 2 == 0 { json!({key: value}) } else { json!({key: [value]}) };
            }
            if let Value::Object(schema) = value
                && let Ok(taken) = checked(schema, 4_096)
            {
                prop_assert_eq!(&taken["type"], "object");
                prop_assert!(taken["properties"].is_object());
            }
        }
    }
}
