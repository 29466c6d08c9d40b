//! The OpenAPI description of every route, generated from the code, and a page that shows it and loads nothing from the network.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi, ToSchema};

use crate::anthropic::{self, MessageErrorBody};
use crate::openai::{self, ApiErrorBody};
use crate::{LocalApi, ProblemBody, guard, routes};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "AURA",
        description = "AURA's local API: one address in front of every AI provider, with failover when a provider is down, slow, out of \
                       quota or has retired a model. Where the operating system reports the user of a connection, programs of the user \
                       who started AURA need no token, and whatever key they send is ignored. All others, web pages that send a key, \
                       and requests that a proxy passes on (`Via`, `Forwarded`, `X-Forwarded-…`, `X-Real-IP`) need the content of the \
                       file `api-token` in AURA's data folder as `Authorization: Bearer …`, `X-Api-Key` or `Api-Key`. AURA makes a new \
                       token at each start: read the file again when the connection was lost, and let the server prove itself with \
                       `POST /proof` before you send a token that you kept. `/chat` and `/process` stream server-sent events when the request has \
                       `Accept: text/event-stream`."
    ),
    tags(
        (name = "questions", description = "Questions and answers"),
        (name = "providers", description = "Providers: health, models, voices and default routes"),
        (name = "models", description = "Models that run on this computer: download, use and remove them"),
        (name = "sessions", description = "Session history"),
        (name = "openai", description = "OpenAI-compatible routes. `model` is `provider/model`, a model name alone, or `auto`: \
                                         AURA's default route with its whole fallback order. A request for `provider/model` does \
                                         not fall back to other providers unless it has `fallback: true`. The same routes are at \
                                         `/openai/v1`, where Groq's client expects them."),
        (name = "anthropic", description = "Routes in the format of Anthropic's Messages API, with the same names of models."),
        (name = "server", description = "The server itself: status, metrics, events and this description"),
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
        routes::local_models::list,
        routes::local_models::download,
        routes::local_models::pause,
        routes::local_models::resume,
        routes::local_models::cancel,
        routes::local_models::prefer,
        routes::local_models::remove,
        routes::sessions::history,
        routes::sessions::forget,
        openai::models::list,
        openai::models::one,
        openai::chat::complete,
        openai::responses::create,
        openai::responses::count_input_tokens,
        openai::embeddings::embed,
        openai::transcriptions::transcribe,
        openai::transcriptions::translate,
        openai::speech::speak,
        openai::voices::list,
        anthropic::messages::create,
        anthropic::messages::count_tokens,
        routes::state::root,
        routes::state::health,
        routes::state::metrics,
        routes::events::events,
        guard::proof::prove,
        description,
        page,
    ),
    components(schemas(ProblemBody, ApiErrorBody, MessageErrorBody)),
    modifiers(&CommonResponses, &TokenSecurity),
)]
struct Description;

/// Responses of every route: those of the guard and the timeouts.
const ALWAYS: &[(&str, &str)] = &[
    ("400", "The request is malformed"),
    ("401", "The token is missing or wrong"),
    ("403", "Wrong host, or a request from another website"),
    ("429", "Too many concurrent requests; see `Retry-After`"),
    ("504", "The request timed out"),
];
/// Further responses of routes that take a body or call providers.
const WITH_BODY: &[(&str, &str)] = &[
    ("408", "The request did not arrive in time"),
    ("413", "The request, or a file in it, is too large"),
    ("415", "AURA cannot read the type of the request, or of a file in it"),
    ("422", "A value in the request is not valid"),
    ("502", "Every provider failed; see `attempts`"),
    ("503", "No suitable provider is set up"),
];

/// Headers of every response of the routes in OpenAI's and Anthropic's formats. They are headers because not every format has room for extra fields.
const PROVENANCE_HEADERS: &[(&str, Type, &str)] = &[
    ("x-aura-route", Type::String, "The route of the answer, as `provider/model`"),
    ("x-aura-attempts", Type::Integer, "Number of provider calls"),
    (
        "x-aura-cost-usd",
        Type::Number,
        "What the calls cost, US dollars; absent when it is unknown, and before the end of a stream",
    ),
    ("x-aura-overhead-ms", Type::Number, "Time added by AURA, milliseconds: not spent waiting for a provider"),
];

/// Describes the token, and that it is optional for the user who started AURA.
struct TokenSecurity;

impl Modify for TokenSecurity {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description =
            Some("The content of the file `api-token` in AURA's data folder, new at each start".to_owned());
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let no_scopes: [&str; 0] = [];
        openapi.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("token", no_scopes)]);
    }
}

/// Adds the responses that many routes share.
struct CommonResponses;

impl Modify for CommonResponses {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for item in openapi.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.delete].into_iter().flatten() {
                add_errors(operation, ALWAYS);
            }
            for operation in item.post.iter_mut() {
                add_errors(operation, ALWAYS);
                add_errors(operation, WITH_BODY);
                if has_tag(operation, "openai") || has_tag(operation, "anthropic") {
                    add_provenance(operation);
                }
            }
            for operation in item.delete.iter_mut() {
                add_errors(operation, WITH_BODY);
            }
            for operation in item.get.iter_mut() {
                // Reading the history can fail with 503.
                add_errors(operation, &WITH_BODY[WITH_BODY.len() - 1..]);
            }
        }
    }
}

fn has_tag(operation: &Operation, name: &str) -> bool {
    operation.tags.iter().flatten().any(|tag| tag == name)
}

fn add_errors(operation: &mut Operation, errors: &[(&str, &str)]) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = "Success".to_owned();
        }
    }
    let body = if has_tag(operation, "openai") {
        ApiErrorBody::name()
    } else if has_tag(operation, "anthropic") {
        MessageErrorBody::name()
    } else {
        ProblemBody::name()
    };
    for (status, description) in errors {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body.as_ref()))).build();
        let mut response =
            ResponseBuilder::new().description(*description).content("application/json", content).build();
        if *status == "429" {
            let retry_after = header(Type::Integer, "Seconds to wait before the next attempt");
            response.headers.insert("Retry-After".to_owned(), RefOr::T(retry_after));
        }
        operation.responses.responses.entry((*status).to_owned()).or_insert(RefOr::T(response));
    }
}

fn header(kind: Type, description: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(SchemaType::new(kind)).build();
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

/// Adds [`PROVENANCE_HEADERS`] to the successful response.
fn add_provenance(operation: &mut Operation) {
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") {
        for (name, kind, description) in PROVENANCE_HEADERS {
            response.headers.insert((*name).to_owned(), RefOr::T(header(kind.clone(), description)));
        }
    }
}

/// The description as JSON.
static JSON: LazyLock<String> = LazyLock::new(|| {
    // Plain data always serializes; a test reads the result.
    Description::openapi().to_json().unwrap_or_default()
});

/// The three files of the documentation page, which loads nothing from elsewhere.
const HTML: &str = include_str!("docs/page.html");
const SCRIPT: &str = include_str!("docs/page.js");
const STYLE: &str = include_str!("docs/page.css");
/// The content security policy of the page: it may load its own files and the description.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<LocalApi> {
    Router::new()
        .route("/openapi.json", get(description))
        .route("/docs", get(page))
        .route("/docs/page.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/docs/page.css", get(async || file("text/css; charset=utf-8", STYLE)))
}

/// This description, as OpenAPI JSON.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, body = serde_json::Value)))]
async fn description() -> Response {
    file("application/json", &JSON)
}

/// This description, as a page.
#[utoipa::path(get, path = "/docs", tag = "server", responses((status = 200, body = String, content_type = "text/html")))]
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
        let sources = [
            include_str!("routes/mod.rs"),
            include_str!("openai/mod.rs"),
            include_str!("anthropic/mod.rs"),
            include_str!("openapi.rs"),
            include_str!("guard/proof.rs"),
        ];
        let served = sources.iter().flat_map(|source| source.split(".route(\"").skip(1));
        let served = served.filter_map(|rest| rest.split('"').next()).map(|path| path.replace("{*", "{"));
        let pages = |path: &String| path.starts_with("/docs/") || path.is_empty();
        let served: BTreeSet<String> = served.filter(|path| !pages(path)).collect();
        let described: BTreeSet<String> = Description::openapi().paths.paths.keys().cloned().collect();
        assert!(served.len() > 15);
        assert_eq!(served, described);
    }

    #[test]
    fn every_reference_resolves() {
        let described: serde_json::Value = serde_json::from_str(&JSON).unwrap();
        for rest in JSON.split("\"#/").skip(1) {
            let path = format!("/{}", rest.split('"').next().unwrap());
            assert!(described.pointer(&path).is_some(), "{path}");
        }
    }

    #[test]
    fn the_page_loads_nothing_from_the_network() {
        for text in [HTML, SCRIPT, STYLE] {
            let foreign = ["http://", "https://", "//cdn", "@import", "url("];
            assert!(foreign.iter().all(|foreign| !text.replace("http://www.w3.org", "").contains(foreign)));
        }
        assert!(!HTML.contains("<script>") && !HTML.contains("style=") && !SCRIPT.contains("innerHTML"));
    }
}
