//! The description of every route, made from the code, and a page that shows it with no network.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::openai::{self, RefusedBody};
use crate::{Door, ProblemBody, routes};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "AURA",
        description = "One local address in front of every AI provider: whatever is down, slow, out of quota or retired, the answer \
                       still comes. Programs of the person who started AURA may call as they are where the operating system can tell; \
                       all others send the token of the file `door-token` in AURA's data folder as `Authorization: Bearer …`. \
                       `/chat` and `/process` answer with server-sent events when asked with `Accept: text/event-stream`."
    ),
    tags(
        (name = "questions", description = "Questions and answers"),
        (name = "providers", description = "Who answers, how they are, and the default routes"),
        (name = "sessions", description = "What was said"),
        (name = "openai", description = "OpenAI's format, for any client of it. A model is `provider/model`, a model's own name, or \
                                         `auto`: AURA's own route with the whole fallback order. Who names a provider's model stays \
                                         with it, unless the request says `fallback: true`."),
        (name = "door", description = "The door itself"),
    ),
    paths(
        routes::chat::chat,
        routes::process::process,
        routes::providers::health,
        routes::providers::info,
        routes::providers::models,
        routes::providers::voices,
        routes::providers::test,
        routes::configuration::switch,
        routes::configuration::config,
        routes::configuration::set_model,
        routes::sessions::history,
        routes::sessions::forget,
        openai::models::list,
        openai::models::one,
        openai::chat::complete,
        openai::transcriptions::transcribe,
        openai::speech::speak,
        routes::state::root,
        routes::state::health,
        routes::state::metrics,
        routes::events::events,
        description,
        page,
    ),
    components(schemas(ProblemBody, RefusedBody)),
    modifiers(&Refusals, &Tokens),
)]
struct Description;

/// What every route can answer, whoever asks: the guard's refusals and the limits.
const ALWAYS: &[(&str, &str)] = &[
    ("400", "The request cannot be read"),
    ("401", "The token is missing or wrong"),
    ("403", "Not for this host, or not from this page"),
    ("429", "Too many requests at once; `Retry-After` says when to try again"),
    ("504", "It took too long"),
];
/// What a route that is sent something, or asks providers, can answer besides.
const SENT: &[(&str, &str)] = &[
    ("408", "The request did not arrive in time"),
    ("413", "The request, or a file in it, is too large"),
    ("415", "The request, or a file in it, is of a kind that AURA cannot read"),
    ("422", "A value in the request cannot be used"),
    ("502", "Every provider that was tried failed; `attempts` says how"),
    ("503", "Nobody who could do this is set up"),
];

/// What every answer in OpenAI's format says of how it came: it is in the headers, because not every format has room for more.
const PROVENANCE: &[(&str, Type, &str)] = &[
    ("x-aura-route", Type::String, "Who answered, as `provider/model`"),
    ("x-aura-attempts", Type::Integer, "How many calls were made"),
    ("x-aura-overhead-ms", Type::Number, "The time that was AURA's own: not spent waiting for a provider"),
];

/// Says that a token opens the door, and that who is let in without one needs none.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description = Some("The content of `door-token` in AURA's data folder".to_owned());
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let nothing: [&str; 0] = [];
        openapi.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("token", nothing)]);
    }
}

struct Refusals;

impl Modify for Refusals {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for item in openapi.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.delete].into_iter().flatten() {
                add(operation, ALWAYS);
            }
            for operation in item.post.iter_mut() {
                add(operation, ALWAYS);
                add(operation, SENT);
                if operation.tags.iter().flatten().any(|tag| tag == "openai") {
                    add_provenance(operation);
                }
            }
            for operation in item.delete.iter_mut() {
                add(operation, SENT);
            }
            for operation in item.get.iter_mut() {
                // The history's file can fail to be read.
                add(operation, &SENT[SENT.len() - 1..]);
            }
        }
    }
}

fn add(operation: &mut Operation, refusals: &[(&str, &str)]) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = "What was asked for".to_owned();
        }
    }
    let openai = operation.tags.iter().flatten().any(|tag| tag == "openai");
    let body = if openai { "RefusedBody" } else { "ProblemBody" };
    for (status, description) in refusals {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body))).build();
        let mut response =
            ResponseBuilder::new().description(*description).content("application/json", content).build();
        if *status == "429" {
            let after = header(Type::Integer, "After how many seconds it is worth trying again");
            response.headers.insert("Retry-After".to_owned(), RefOr::T(after));
        }
        operation.responses.responses.entry((*status).to_owned()).or_insert(RefOr::T(response));
    }
}

fn header(kind: Type, description: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(SchemaType::new(kind)).build();
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

/// Describes how an answer in OpenAI's format says how it came.
fn add_provenance(operation: &mut Operation) {
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") {
        for (name, kind, description) in PROVENANCE {
            response.headers.insert((*name).to_owned(), RefOr::T(header(kind.clone(), description)));
        }
    }
}

/// As JSON, made once.
static JSON: LazyLock<String> = LazyLock::new(|| {
    // It is plain data; a test reads it.
    Description::openapi().to_json().unwrap_or_default()
});

/// The page's three files; nothing is loaded from elsewhere.
const HTML: &str = include_str!("docs/page.html");
const SCRIPT: &str = include_str!("docs/page.js");
const STYLE: &str = include_str!("docs/page.css");
/// What the page may do: show itself and read the description.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Door> {
    Router::new()
        .route("/openapi.json", get(description))
        .route("/docs", get(page))
        .route("/docs/page.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/docs/page.css", get(async || file("text/css; charset=utf-8", STYLE)))
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "door", responses((status = 200, body = serde_json::Value)))]
async fn description() -> Response {
    file("application/json", &JSON)
}

/// It as a page for people.
#[utoipa::path(get, path = "/docs", tag = "door", responses((status = 200, body = String, content_type = "text/html")))]
async fn page() -> Response {
    file("text/html; charset=utf-8", HTML)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY)], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described() {
        let sources = [include_str!("routes/mod.rs"), include_str!("openai/mod.rs"), include_str!("openapi.rs")];
        let served = sources.iter().flat_map(|source| source.split(".route(\"").skip(1));
        let served = served.filter_map(|rest| rest.split('"').next()).map(|path| path.replace("{*", "{"));
        let pages = |path: &String| path.starts_with("/docs/") || path.is_empty();
        let served: BTreeSet<String> = served.filter(|path| !pages(path)).collect();
        let described: BTreeSet<String> = Description::openapi().paths.paths.keys().cloned().collect();
        assert!(served.len() > 15);
        assert_eq!(served, described);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let described: serde_json::Value = serde_json::from_str(&JSON).unwrap();
        for rest in JSON.split("\"#/").skip(1) {
            let path = format!("/{}", rest.split('"').next().unwrap());
            assert!(described.pointer(&path).is_some(), "{path}");
        }
    }

    #[test]
    fn the_page_needs_no_network() {
        for text in [HTML, SCRIPT, STYLE] {
            let foreign = ["http://", "https://", "//cdn", "@import", "url("];
            assert!(foreign.iter().all(|foreign| !text.replace("http://www.w3.org", "").contains(foreign)));
        }
        assert!(!HTML.contains("<script>") && !HTML.contains("style=") && !SCRIPT.contains("innerHTML"));
    }
}
