//! What happens to turns while another program keeps the history busy, and when the server ends.

use aura_sandbox::{Fault, FaultKind, Provider, Rule, Service};
use aura_tests::http::{HttpServer, eventually, sandboxed};
use rusqlite::Connection;
use serde_json::json;

use super::quick;

/// The turns that have ended, and the attempts in the ledger.
fn saved(database: &Connection) -> (Vec<String>, i64) {
    let mut rows = database.prepare("SELECT json FROM turns WHERE instr(json, '\"running\":') = 0").unwrap();
    let turns = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    (turns, database.query_row("SELECT count(*) FROM attempts", [], |row| row.get(0)).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_cannot_be_saved_is_told_and_saved_later() {
    let (_sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    let file = aura.data().join("history.db");
    let server = HttpServer::start(aura);
    let busy = Connection::open(&file).unwrap();
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    let reply = server.chat(json!({"text": "Which?"})).await;
    assert_eq!(reply["response"], "Paris.");
    let notices = reply["notices"].to_string();
    assert!(notices.contains("not_saved") && notices.contains("tries again"), "{reply:#}");
    busy.execute_batch("ROLLBACK").unwrap();
    let both_are_there = eventually(async || {
        let (turns, attempts) = saved(&busy);
        turns.len() == 1 && attempts == 1
    });
    assert!(both_are_there.await, "{:?}", saved(&busy));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_under_way_when_the_server_ends_is_saved() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    sandbox.add_fault(Fault::new(FaultKind::Silent).provider(Provider::Groq).service(Service::Llm));
    let file = aura.data().join("history.db");
    let server = HttpServer::serving(aura, "aura-server", &["--limits-scale", "0.1"]);
    let request = server.post("/chat").json(&json!({"text": "Which?"}));
    let asked = tokio::spawn(request.send());
    let is_asked = async || sandbox.requests().await.iter().any(|request| request.service == Service::Llm);
    assert!(eventually(is_asked).await, "the provider is not asked");
    let aura = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    drop(asked.await);
    let (turns, attempts) = saved(&Connection::open(&file).unwrap());
    assert_eq!((turns.len(), attempts), (1, 1), "{turns:?}");
    assert!(turns[0].contains("Which?"), "{turns:?}");
    drop(aura);
}
