//! The history on a real disk, and what it does with files of other versions.

use aura_providers::Service;
use aura_router::{Ledger, LedgerEntry};

use super::*;

fn turn(id: &str, session: &str, second: i64, transcript: &str, answer: &str) -> TurnRecord {
    TurnRecord {
        id: id.into(),
        session: session.into(),
        started_at: jiff::Timestamp::from_second(second).unwrap(),
        purpose: Default::default(),
        transcript: transcript.into(),
        answer: answer.into(),
        spoken: answer.into(),
        interrupted: false,
        error: None,
        stages: vec![],
        tools: vec![],
        notices: vec![],
        question_audio: None,
        answer_audio: None,
        recordings_deleted: None,
        seen: None,
        picture: None,
        first_sound_ms: Some(321),
        running: None,
    }
}

fn newest(limit: u32) -> TurnFilter {
    TurnFilter { limit, ..TurnFilter::default() }
}

fn holding(words: &str) -> TurnFilter {
    TurnFilter { words: Some(words.into()), ..newest(10) }
}

fn ids(turns: &[TurnRecord]) -> Vec<&str> {
    turns.iter().map(|turn| turn.id.as_str()).collect()
}

#[tokio::test]
async fn turns_are_saved_replaced_listed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let history = SqliteHistory::open(folder.path()).unwrap();
    for (id, session, second) in [("a", "x", 10), ("b", "y", 30), ("c", "x", 20)] {
        history.save(&turn(id, session, second, "question", "answer")).await.unwrap();
    }
    assert_eq!(ids(&history.find(&newest(10)).await.unwrap()), ["b", "c", "a"]);
    assert_eq!(ids(&history.find(&newest(2)).await.unwrap()), ["b", "c"]);
    assert_eq!(ids(&history.find(&TurnFilter { session: Some("x".into()), ..newest(10) }).await.unwrap()), ["c", "a"]);

    let before = |id: &str| TurnFilter { before: Some(id.into()), ..newest(10) };
    assert_eq!(ids(&history.find(&before("b")).await.unwrap()), ["c", "a"]);
    assert_eq!(ids(&history.find(&before("a")).await.unwrap()), Vec::<&str>::new());

    let better = turn("a", "x", 10, "question", "a better answer");
    history.save(&better).await.unwrap();
    assert_eq!(history.get("a").await.unwrap(), Some(better));
    history.delete(&Selection::Turn("a".into())).await.unwrap();
    history.delete(&Selection::Turn("a".into())).await.unwrap();
    assert_eq!(history.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_turn_is_listed_once_it_has_ended() {
    use aura_core::record::{Running, Stage};

    let folder = tempfile::tempdir().unwrap();
    let history = SqliteHistory::open(folder.path()).unwrap();
    // What a person says looks like the mark of an unfinished turn, and is none.
    let ended = turn("a", "x", 1, r#""running":{"stage":"idle"}"#, r#"{"running":{}}"#);
    let running = Running { stage: Stage::Listening, owner: "me".into() };
    let begun = TurnRecord { running: Some(running), ..turn("b", "x", 2, "question", "") };
    history.save(&ended).await.unwrap();
    history.save(&begun).await.unwrap();
    assert_eq!(ids(&history.find(&newest(10)).await.unwrap()), ["a"]);
    assert_eq!(history.unfinished().await.unwrap(), std::slice::from_ref(&begun));
    assert_eq!(history.get("b").await.unwrap(), Some(begun.clone()));
    let all = ["a", "b", "c"].map(String::from).to_vec();
    assert_eq!(history.unknown(all).await.unwrap(), ["c"]);
    // The index is used: the whole history is not read at each start.
    let database = Connection::open(folder.path().join("history.db")).unwrap();
    let plan: String = database
        .query_row(&format!("EXPLAIN QUERY PLAN SELECT json FROM turns WHERE {UNFINISHED}"), [], |row| row.get(3))
        .unwrap();
    assert!(plan.contains("turns_unfinished"), "{plan}");

    history.save(&TurnRecord { running: None, ..begun }).await.unwrap();
    assert_eq!(ids(&history.find(&newest(10)).await.unwrap()), ["b", "a"]);
    assert_eq!(history.unfinished().await.unwrap(), vec![]);
}

#[tokio::test]
async fn turns_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let saved = turn("a", "x", 10, "What is this?", "A lamp.");
    SqliteHistory::open(folder.path()).unwrap().save(&saved).await.unwrap();
    assert_eq!(SqliteHistory::open(folder.path()).unwrap().get("a").await.unwrap(), Some(saved));
}

#[tokio::test]
async fn search_finds_word_prefixes_and_follows_changes() {
    let folder = tempfile::tempdir().unwrap();
    let history = SqliteHistory::open(folder.path()).unwrap();
    history.save(&turn("a", "x", 1, "What is the weather?", "Rain in the evening.")).await.unwrap();
    history.save(&turn("b", "x", 2, "And tomorrow?", "The weather clears.")).await.unwrap();
    assert_eq!(ids(&history.find(&holding("weath")).await.unwrap()), ["b", "a"]);
    assert_eq!(ids(&history.find(&holding("weather RAIN")).await.unwrap()), ["a"]);
    assert_eq!(ids(&history.find(&holding("\"rain OR (")).await.unwrap()), Vec::<&str>::new());
    assert_eq!(ids(&history.find(&holding(" ")).await.unwrap()), Vec::<&str>::new());

    history.save(&turn("a", "x", 1, "What is the time?", "Noon.")).await.unwrap();
    history.delete(&Selection::Turn("b".into())).await.unwrap();
    assert_eq!(ids(&history.find(&holding("weather")).await.unwrap()), Vec::<&str>::new());
    assert_eq!(ids(&history.find(&holding("noon")).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn usage_is_added_up_by_day_provider_and_service() {
    use aura_providers::{FailureKind, Usage};
    use aura_router::{Attempt, Cost, CostBasis, Route};

    let folder = tempfile::tempdir().unwrap();
    let attempt = |provider: &str, kind| Attempt {
        service: Service::Llm,
        route: Route { provider: provider.into(), model: "m".into(), voice: None },
        ms: 1,
        first_ms: None,
        kind,
        message: None,
        usage: Usage { input_tokens: Some(10), ..Usage::default() },
        cost: Cost { usd: Some(0.5), basis: CostBasis::Priced },
    };
    let entry = |at: &str, attempt| LedgerEntry { at: at.parse().unwrap(), attempt };
    let history = SqliteHistory::open(folder.path()).unwrap();
    let entries = [
        entry("2026-10-31T12:00:00Z", attempt("groq", None)),
        entry("2026-11-02T12:00:00Z", attempt("groq", None)),
        entry("2026-11-02T12:00:01Z", attempt("groq", Some(FailureKind::Timeout))),
        entry("2026-11-02T12:00:02Z", attempt("gemini", None)),
    ];
    history.add(&entries).await.unwrap();
    drop(history);
    let history = SqliteHistory::open(folder.path()).unwrap();
    let daily = history.totals("2026-11-01".parse().unwrap()).await.unwrap();
    let figures: Vec<_> = daily
        .iter()
        .map(|line| {
            (
                line.provider.as_str(),
                line.totals.attempts,
                line.totals.failed,
                line.totals.input_tokens,
                line.totals.usd,
            )
        })
        .collect();
    assert_eq!(figures, [("gemini", 1, 0, 10, 0.5), ("groq", 2, 1, 20, 1.0)]);
}
