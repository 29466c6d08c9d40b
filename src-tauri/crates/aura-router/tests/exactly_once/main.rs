//! Every call that reaches a provider is one attempt and one entry of the ledger, wherever its connection breaks.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod server;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aura_audio::Pcm;
use aura_providers::{ChatRequest, FailureKind, Message, Role, Service, TranscriptionRequest};
use aura_router::{
    Attempt, DailyUsage, Ledger, LedgerEntry, LedgerError, Observer, ProviderSettings, RouteNotice, RouteOverrides,
    Router, RoutingSettings, UsageTracker, sink_fn,
};
use server::{Break, Place, Server};

/// The distance between two places at which a connection breaks, in bytes.
const STEP: usize = 64;

/// A ledger in memory, and the attempts that the caller was told of.
#[derive(Default)]
struct Books {
    entries: Mutex<Vec<LedgerEntry>>,
    attempts: Mutex<Vec<Attempt>>,
}

#[async_trait]
impl Ledger for Books {
    async fn add(&self, entries: &[LedgerEntry]) -> Result<(), LedgerError> {
        self.entries.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }

    async fn totals(&self, _: jiff::civil::Date) -> Result<Vec<DailyUsage>, LedgerError> {
        Ok(Vec::new())
    }

    async fn prune(&self, _: jiff::civil::Date) -> Result<u64, LedgerError> {
        Ok(0)
    }
}

impl Observer for Books {
    fn attempt(&self, attempt: &Attempt) {
        self.attempts.lock().unwrap().push(attempt.clone());
    }

    fn notice(&self, _: RouteNotice) {}
}

/// A router with a provider, and its books.
struct Fixture {
    server: Server,
    books: Arc<Books>,
    usage: UsageTracker,
    router: Router,
    overrides: RouteOverrides,
}

impl Fixture {
    /// With `fallback`, a second provider on the same server comes after the first.
    async fn new(keep_alive: bool, fallback: bool) -> Self {
        let server = Server::start(keep_alive).await;
        let books = Arc::new(Books::default());
        let usage = UsageTracker::start(Some(books.clone()));
        let own = ProviderSettings {
            preset: Some("openai".into()),
            base_url: Some(format!("{}/own/v1", server.address)),
            ..ProviderSettings::default()
        };
        let mut settings = RoutingSettings::default();
        settings.fallback = fallback;
        settings.providers = BTreeMap::from([("own".to_owned(), own)]);
        let router = Router::builder()
            .settings(settings)
            .key("groq", "k")
            .key("own", "k")
            .variables(BTreeMap::from([("GROQ_BASE_URL".to_owned(), format!("{}/groq/v1", server.address))]))
            .usage(usage.clone())
            .build()
            .unwrap();
        let pinned = || (!fallback).then(|| "groq".to_owned());
        let overrides =
            RouteOverrides { stt: pinned(), llm: pinned(), vlm: pinned(), tts: pinned(), ..RouteOverrides::default() };
        Self { server, books, usage, router, overrides }
    }

    /// Makes one request. True when it succeeded.
    async fn request(&self, service: Service) -> bool {
        let plan = self.router.plan(service, &self.overrides).unwrap();
        let text = "What time is it in the kitchen? ".repeat(10);
        match service {
            Service::Stt => {
                let request = TranscriptionRequest {
                    wav: vec![0; 2_000].into(),
                    duration: Duration::from_secs(1),
                    ..TranscriptionRequest::default()
                };
                self.router.transcribe(&plan, &request, true, &*self.books).await.is_ok()
            }
            Service::Llm | Service::Vlm => {
                let image = (service == Service::Vlm).then(|| bytes::Bytes::from(vec![0xff; 600]));
                let message = Message::new(Role::User, text).with_image(image);
                let request = ChatRequest { messages: vec![message], ..ChatRequest::default() };
                self.router.chat(&plan, &request, &*self.books, &mut sink_fn(|_: String| {})).await.is_ok()
            }
            Service::Embedding => {
                let request = aura_providers::EmbeddingRequest::new("", [text]);
                self.router.embed(&plan, &request, &*self.books).await.is_ok()
            }
            Service::Tts => self.router.speak(&plan, &text, &*self.books, &mut sink_fn(|_: Pcm| {})).await.is_ok(),
        }
    }

    /// Checks that the provider, the caller, the ledger, the totals and the counters know of the same number of calls.
    async fn check(&self, case: &str) {
        self.usage.flush().await;
        let seen = self.server.posts();
        let attempts = self.books.attempts.lock().unwrap().len();
        let entries = self.books.entries.lock().unwrap().len();
        let used = usize::try_from(self.router.usage().month.attempts).unwrap();
        let counted: u32 = self.router.attempt_counts().iter().map(|count| count.totals.attempts).sum();
        let all = [attempts, entries, used, usize::try_from(counted).unwrap()];
        assert_eq!(all, [seen; 4], "{case}: attempts, ledger, usage, counters; the provider saw {seen}");
    }

    /// The places at which a request for this service can break, `STEP` bytes apart. Makes one whole request.
    async fn places(&self, service: Service) -> Vec<Place> {
        assert!(self.request(service).await, "{service:?}");
        let (request, reply) = self.server.lengths();
        assert!(request > 4 * STEP && reply > 4 * STEP, "{service:?}: {request}, {reply}");
        let of = |length: usize, place: fn(usize) -> Place| (STEP..=length).step_by(STEP).chain([length]).map(place);
        of(request, Place::Request).chain([Place::Reply(0), Place::Reply(1)]).chain(of(reply, Place::Reply)).collect()
    }

    /// Makes requests until the connection of one broke. The first ones may have opened connections of their own.
    async fn until_broken(&self, service: Service) -> bool {
        for _ in 0..100 {
            let succeeded = self.request(service).await;
            if !self.server.has_fault() {
                return succeeded;
            }
        }
        panic!("no connection is used again");
    }
}

/// A reset at every 64th byte of request and reply, on new and on reused connections.
async fn every_reset_is_one_attempt(service: Service) {
    for keep_alive in [false, true] {
        let fixture = Fixture::new(keep_alive, false).await;
        let mut broken = 0;
        for place in fixture.places(service).await {
            let case = format!("{service:?}, {place:?}, reused: {keep_alive}");
            fixture.server.set_fault(place, Break::Reset);
            let succeeded = fixture.until_broken(service).await;
            // Only the very end of a reply may be missing.
            let may_succeed = matches!(place, Place::Reply(bytes) if bytes + 4 * STEP > fixture.server.lengths().1);
            assert!(!succeeded || may_succeed || service == Service::Tts, "{case}: it cannot be complete");
            broken += usize::from(!succeeded);
            fixture.check(&case).await;
        }
        assert!(broken > 10, "{broken} calls failed");
    }
}

#[tokio::test]
async fn a_reset_of_a_transcription_is_one_attempt() {
    every_reset_is_one_attempt(Service::Stt).await;
}

#[tokio::test]
async fn a_reset_of_an_answer_is_one_attempt() {
    every_reset_is_one_attempt(Service::Llm).await;
}

#[tokio::test]
async fn a_reset_of_an_answer_about_an_image_is_one_attempt() {
    every_reset_is_one_attempt(Service::Vlm).await;
}

#[tokio::test]
async fn a_reset_of_speech_is_one_attempt() {
    every_reset_is_one_attempt(Service::Tts).await;
}

#[tokio::test]
async fn every_call_of_a_failover_is_one_attempt() {
    for service in Service::ALL {
        for keep_alive in [false, true] {
            let fixture = Fixture::new(keep_alive, true).await;
            for place in fixture.places(service).await.into_iter().step_by(5) {
                let case = format!("{service:?}, {place:?}, reused: {keep_alive}");
                // Closes the circuits, so that the first provider is the first again.
                fixture.router.reset_key("groq");
                fixture.router.reset_key("own");
                fixture.server.set_fault(place, Break::Reset);
                assert!(fixture.until_broken(service).await, "{case}: the second provider works");
                fixture.check(&case).await;
            }
        }
    }
}

/// The caller gives up at every 256th byte of the reply.
#[tokio::test]
async fn every_cancelled_call_is_one_attempt() {
    for service in Service::ALL {
        for keep_alive in [false, true] {
            let fixture = Fixture::new(keep_alive, false).await;
            let mut cancelled = 0;
            for place in fixture.places(service).await.into_iter().step_by(4) {
                let case = format!("{service:?}, {place:?}, reused: {keep_alive}");
                fixture.server.set_fault(place, Break::Hang);
                tokio::select! {
                    // The reply was complete before the connection hung.
                    _ = fixture.until_broken(service) => fixture.server.hangs.notified().await,
                    () = fixture.server.hangs.notified() => cancelled += 1,
                }
                fixture.check(&case).await;
            }
            let attempts = fixture.books.attempts.lock().unwrap();
            let recorded = attempts.iter().filter(|attempt| attempt.kind == Some(FailureKind::Cancelled)).count();
            assert!(recorded > 3 && recorded <= cancelled, "{service:?}: {recorded} of {cancelled}");
            let health = fixture.router.health();
            let groq = health.providers.iter().find(|provider| provider.name == "groq").unwrap();
            let failures = groq.services.iter().filter_map(|health| health.last_error.as_ref()).count();
            assert_eq!(failures, 0, "a cancelled call is not a failure of the provider");
        }
    }
}
