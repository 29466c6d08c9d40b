//! Edits of the settings file's text. An edit touches only the values that a change names: comments, keys of later versions and
//! values that are not valid stay as they are written.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

/// Tables of version 1 of the layout, and their present names.
pub(super) const RENAMED: &[(&str, &str)] = &[("clocks", "timeouts"), ("door", "local_api")];

/// Writes a change into the document. `patch` is the change, a JSON merge patch under present names; `settings` are the differences
/// from the defaults after it. A value that is now its default is removed.
pub(super) fn apply(document: &mut DocumentMut, patch: &Value, settings: &Value) {
    let (Some(patch), Some(settings)) = (patch.as_object(), settings.as_object()) else { return };
    let mut comments = Vec::new();
    apply_table(document.as_table_mut(), false, patch, Some(settings), &mut comments);
    append(document, &comments);
}

/// Brings a document of an older layout to the present one.
pub(super) fn migrate(document: &mut DocumentMut) {
    let mut comments = Vec::new();
    let table = document.as_table_mut();
    if table.contains_key("schema") {
        remove(table, "schema", &mut comments);
    }
    for (old, new) in RENAMED {
        let Some((key, mut item)) = table.remove_entry(old) else { continue };
        match table.get_mut(new) {
            None => {
                let key = toml_edit::Key::new(*new).with_leaf_decor(key.leaf_decor().clone());
                table.insert_formatted(&key, item);
            }
            // A value under a present name takes precedence.
            Some(present) => {
                let (Some(present), Some(old)) = (present.as_table_like_mut(), item.as_table_like_mut()) else {
                    continue;
                };
                let names: Vec<String> = old.iter().map(|(name, _)| name.to_owned()).collect();
                for name in names.iter().filter(|name| !present.contains_key(name)).cloned().collect::<Vec<_>>() {
                    if let Some(value) = old.remove(&name) {
                        present.insert(&name, value);
                    }
                }
            }
        }
    }
    append(document, &comments);
}

/// A document that holds these differences from the defaults, with a heading.
pub(super) fn new(differences: &Value) -> DocumentMut {
    let mut document = DocumentMut::new();
    apply(&mut document, differences, differences);
    document
}

fn apply_table(
    table: &mut dyn TableLike,
    is_inline: bool,
    patch: &Map<String, Value>,
    settings: Option<&Map<String, Value>>,
    comments: &mut Vec<String>,
) {
    for (name, change) in patch {
        let value = settings.and_then(|settings| settings.get(name));
        match (change, value) {
            // An object with a `kind` is one value.
            (Value::Object(change), Some(Value::Object(value))) if !value.contains_key("kind") => {
                if !table.get(name).is_some_and(Item::is_table_like) {
                    let empty = Item::Value(InlineTable::new().into());
                    set(table, name, if is_inline { empty } else { Item::Table(Table::new()) });
                }
                let Some(item) = table.get_mut(name) else { continue };
                let is_inline = item.is_inline_table();
                if let Some(inner) = item.as_table_like_mut() {
                    apply_table(inner, is_inline, change, Some(value), comments);
                }
                if let Item::Table(inner) = item {
                    // `[providers]` alone says nothing when only `[providers.mine]` has values.
                    let has_values = inner.iter().any(|(_, item)| item.is_value());
                    inner.set_implicit(!has_values && !inner.is_empty());
                }
            }
            (Value::Object(change), None) if table.get(name).is_some_and(Item::is_table_like) => {
                let Some(item) = table.get_mut(name) else { continue };
                let is_inline = item.is_inline_table();
                if let Some(inner) = item.as_table_like_mut() {
                    apply_table(inner, is_inline, change, None, comments);
                    if inner.is_empty() {
                        remove(table, name, comments);
                    }
                }
            }
            (_, Some(value)) => set(table, name, item(value, is_inline)),
            (_, None) => remove(table, name, comments),
        }
    }
}

/// Sets a value. The comments of the old one stay.
fn set(table: &mut dyn TableLike, name: &str, mut new: Item) {
    if let Some(old) = table.get_mut(name) {
        match (&*old, &mut new) {
            (Item::Value(old), Item::Value(new)) => *new.decor_mut() = old.decor().clone(),
            (Item::Table(old), Item::Table(new)) => {
                *new.decor_mut() = old.decor().clone();
                new.set_position(old.position());
            }
            _ => {}
        }
        *old = new;
    } else {
        table.insert(name, new);
    }
}

/// Removes a value. Its comments move to the next value of the table, or to `comments` if there is none.
fn remove(table: &mut dyn TableLike, name: &str, comments: &mut Vec<String>) {
    let before = table.key(name).and_then(|key| key.leaf_decor().prefix()).and_then(|text| text.as_str());
    let mut lines = comment_lines(before);
    match table.get(name) {
        Some(Item::Value(value)) => {
            lines.extend(comment_lines(value.decor().suffix().and_then(|text| text.as_str())));
        }
        Some(Item::Table(inner)) => {
            lines.extend(comment_lines(inner.decor().prefix().and_then(|text| text.as_str())));
        }
        _ => {}
    }
    let next: Option<String> = table.iter().map(|(name, _)| name.to_owned()).skip_while(|other| other != name).nth(1);
    table.remove(name);
    if lines.is_empty() {
        return;
    }
    let moved = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let joined = |old: Option<&toml_edit::RawString>| {
        format!("{moved}{}", old.and_then(|text| text.as_str()).unwrap_or_default())
    };
    let Some(next) = next else { return comments.extend(lines) };
    if let Some(Item::Table(inner)) = table.get_mut(&next) {
        if inner.is_implicit() {
            return comments.extend(lines);
        }
        let text = joined(inner.decor().prefix());
        inner.decor_mut().set_prefix(text);
    } else if let Some(mut key) = table.key_mut(&next) {
        let text = joined(key.leaf_decor().prefix());
        key.leaf_decor_mut().set_prefix(text);
    }
}

fn comment_lines(text: Option<&str>) -> Vec<String> {
    let lines = text.unwrap_or_default().lines().map(str::trim);
    lines.filter(|line| line.starts_with('#')).map(str::to_owned).collect()
}

/// Adds comments to the end of the document.
fn append(document: &mut DocumentMut, comments: &[String]) {
    if comments.is_empty() {
        return;
    }
    let lines = comments.iter().map(|line| format!("{line}\n")).collect::<String>();
    let text = format!("{}{lines}", document.trailing().as_str().unwrap_or_default());
    document.set_trailing(text);
}

/// A value as TOML. The settings contain no null.
fn item(value: &Value, is_inline: bool) -> Item {
    match value {
        Value::Object(fields) if !is_inline => {
            let mut table = Table::new();
            for (name, value) in fields {
                table.insert(name, item(value, false));
            }
            Item::Table(table)
        }
        other => Item::Value(plain(other)),
    }
}

fn plain(value: &Value) -> toml_edit::Value {
    match value {
        Value::Null => "".into(),
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => values.iter().map(plain).collect::<Array>().into(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.as_str(), plain(value)));
            fields.collect::<InlineTable>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(text: &str, patch: &Value, settings: &Value) -> String {
        let mut document: DocumentMut = text.parse().unwrap();
        apply(&mut document, patch, settings);
        document.to_string()
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let text = "# Mine.\nfallback = false # no surprises\nlater = [1, 2] # of a later version\n\n\
                    [routes.llm]\n# fast\nprovider = \"groq\" # the one\nmodel = \"a\"\nnovel = true\n\n[appearance]\ntheme = \"pink\"\n";
        let patch = json!({"routes": {"llm": {"provider": "gemini", "model": null}}});
        let settings = json!({"fallback": false, "routes": {"llm": {"provider": "gemini"}}});
        let expected = text.replace("\"groq\"", "\"gemini\"").replace("model = \"a\"\n", "");
        assert_eq!(changed(text, &patch, &settings), expected);
    }

    #[test]
    fn the_comments_of_a_removed_value_stay() {
        let text = "# About this file.\nfallback = false # quiet\nshortcut = \"F9\"\n[routes.llm]\n# The last one.\nmodel = \"a\"\n";
        let patch = json!({"fallback": true, "routes": {"llm": {"model": null}}});
        let after = changed(text, &patch, &json!({"shortcut": "F9"}));
        assert_eq!(after, "# About this file.\n# quiet\nshortcut = \"F9\"\n# The last one.\n");
    }

    #[test]
    fn inline_and_dotted_tables_keep_their_form() {
        let text = "routes = { llm = { provider = \"groq\" }, tts = { voice = \"x\" } }\nlistening.mode = \"hold\"\n";
        let patch =
            json!({"routes": {"llm": {"provider": "gemini", "then": ["a", "b"]}}, "listening": {"mode": "toggle"}});
        let settings = json!({
            "routes": {"llm": {"provider": "gemini", "then": ["a", "b"]}, "tts": {"voice": "x"}}, "listening": {"mode": "toggle"},
        });
        let after = changed(text, &patch, &settings);
        assert_eq!(serde_json::to_value(toml::from_str::<toml::Table>(&after).unwrap()).unwrap(), settings, "{after}");
        assert!(after.starts_with("routes = {") && after.contains("listening.mode = \"toggle\""), "{after}");
    }

    #[test]
    fn a_new_document_holds_every_value() {
        let differences = json!({
            "fallback": false, "instructions": "Say \"yes\".\nOr no.",
            "providers": {"bare": {}, "my.server": {"base_url": "http://127.0.0.1:1/v1", "may_receive": {"audio": false}}},
            "routes": {"llm": {"then": []}},
            "screen": {"target": {"kind": "region", "x": -10, "y": 20, "width": 640, "height": 480}},
        });
        let text = new(&differences).to_string();
        assert_eq!(serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap(), differences, "{text}");
        assert!(!text.contains("[providers]") && !text.contains("[routes]"), "{text}");
    }
}
