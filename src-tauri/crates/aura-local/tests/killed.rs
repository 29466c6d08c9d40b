//! The engine is killed in the middle of each kind of work, again and again. Alone in its process, because it counts what is left.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod common;

use aura_providers::{FailureKind, LocalModels, collect_chat, collect_speech};
use common::*;
use futures::StreamExt;
use rustix::process::{Pid, Signal, kill_process};

const TIMES: usize = 50;

/// The processes that this one started.
fn children() -> Vec<u32> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        // A thread may have ended meanwhile.
        let list = std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default();
        children.extend(list.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
    }
    children
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_engine_costs_one_answer_and_nothing_else() {
    let store = one_of_each();
    let models = run(&store, options());
    let mut level = None;
    for round in 0..TIMES {
        // Transcription: nothing has arrived yet.
        let ear = pid(&models, "ear").await;
        std::fs::remove_file(store.working("ear")).unwrap();
        let work = tokio::spawn({
            let models = models.clone();
            async move { hear(&models, "ear", "wait").await }
        });
        until("at work", || store.working("ear").exists()).await;
        kill(ear);
        let failure = work.await.unwrap().unwrap_err();
        assert_eq!(failure.kind, FailureKind::Overloaded, "{failure}");
        assert!(failure.message.contains("signal: 9"), "{failure}");
        assert_eq!(hear(&models, "ear", "").await.unwrap().text, "3200 bytes");
        models.unload("ear").await;

        // An answer: after its first words.
        let mut answer = models.chat(&question("mind", "wait")).await.unwrap();
        assert!(answer.next().await.unwrap().is_ok());
        let engines = children();
        assert_eq!(engines.len(), 1, "{engines:?}");
        kill(engines[0]);
        assert_eq!(answer.next().await.unwrap().unwrap_err().kind, FailureKind::Interrupted);
        assert!(answer.next().await.is_none());
        assert!(collect_chat(models.chat(&question("mind", "")).await.unwrap()).await.is_ok());
        models.unload("mind").await;

        // Speech: after its first sound.
        let mut speech = models.speak(&sentence("voice", "wait")).await.unwrap();
        assert!(speech.next().await.unwrap().is_ok());
        kill(children()[0]);
        assert_eq!(speech.next().await.unwrap().unwrap_err().kind, FailureKind::Interrupted);
        assert!(collect_speech(models.speak(&sentence("voice", "")).await.unwrap()).await.is_ok());
        models.unload("voice").await;

        assert!(children().is_empty(), "round {round}: {:?}", children());
        // The first round opens what the runtime needs once. A task that was aborted closes its files a moment later.
        let level = *level.get_or_insert_with(open_files);
        until(&format!("round {round}: {level} open files"), || open_files() <= level).await;
    }
}
