//! The app and the model on a private desktop, and the tasks that were done there.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aura_sandbox::{Rule, RuleCondition, Script, ScriptedReply, Service, ToolCall};
use aura_tests::aura::{App, Aura};
use aura_tests::display::xdotool;
use aura_tests::process::wait_until;
use aura_tests::processes::family;
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::{Recorder, recognise, say};
use serde_json::{Value, json};

use crate::push_to_talk::{SHORTCUT, hold_keys, question};

/// The shortcut for dictation.
pub(super) const DICTATE: &str = "ctrl+shift+F7";
/// The shortcut for an answer at the cursor.
pub(super) const ANSWER_HERE: &str = "ctrl+shift+F8";
/// The shortcut to change the selection.
pub(super) const EDIT_SELECTION: &str = "ctrl+shift+F9";

const SETTINGS: &str = "[listening]\nlanguage = \"en\"\n[cursor_shortcuts]\ndictate = \"Ctrl+Shift+F7\"\n\
                        answer_here = \"Ctrl+Shift+F8\"\nedit_selection = \"Ctrl+Shift+F9\"\n";

/// The time limit for a question of AURA, and for the outcome of a task.
const LIMIT: Duration = Duration::from_secs(30);

/// What the person does when AURA asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reply {
    /// Says yes.
    Yes,
    /// Says no.
    No,
    /// Presses Esc.
    Escape,
}

/// A call of a tool by the model.
struct Call<'a> {
    tool: &'a str,
    arguments: Value,
    /// The question before it, and what the person does then.
    asked: Option<(String, Reply)>,
}

/// A task.
pub(super) struct Task<'a> {
    said: &'a str,
    /// The shortcut that is held meanwhile.
    keys: &'a str,
    calls: Vec<Call<'a>>,
    /// What the model says in the end.
    answer: &'a str,
}

impl<'a> Task<'a> {
    /// A task that takes no tool.
    pub(super) fn new(said: &'a str, answer: &'a str) -> Self {
        Self { said, keys: SHORTCUT, calls: Vec::new(), answer }
    }

    /// A task that is said while another shortcut is held. It ends with text at the cursor.
    pub(super) fn under(keys: &'a str, said: &'a str, answer: &'a str) -> Self {
        Self { keys, ..Self::new(said, answer) }
    }

    /// With a call of a tool that needs no consent.
    pub(super) fn calls(mut self, tool: &'a str, arguments: Value) -> Self {
        self.calls.push(Call { tool, arguments, asked: None });
        self
    }

    /// With a call of a tool, and the question before it, without its `Yes or no?`.
    pub(super) fn asks(mut self, tool: &'a str, arguments: Value, question: &str, reply: Reply) -> Self {
        self.calls.push(Call { tool, arguments, asked: Some((format!("{question} Yes or no?"), reply)) });
        self
    }

    /// With a call of a tool, and the question before it, to which the person says yes.
    pub(super) fn allows(self, tool: &'a str, arguments: Value, question: &str) -> Self {
        self.asks(tool, arguments, question, Reply::Yes)
    }

    fn asked(&self) -> impl Iterator<Item = &(String, Reply)> {
        self.calls.iter().filter_map(|call| call.asked.as_ref())
    }

    /// What the history has of the task: the name, the outcome and the consent of each call.
    fn record(&self) -> Vec<Value> {
        if self.keys != SHORTCUT {
            return vec![json!(["type_text", "done", {"allowed": true, "by": "shortcut"}])];
        }
        let record = |Call { tool, asked, .. }: &Call<'_>| match asked {
            None => json!([tool, "done", null]),
            Some((_, Reply::Yes)) => json!([tool, "done", {"allowed": true, "by": "voice"}]),
            Some((_, Reply::No)) => json!([tool, "declined", {"allowed": false, "by": "voice"}]),
            Some((_, Reply::Escape)) => json!([tool, "stopped", null]),
        };
        self.calls.iter().map(record).collect()
    }

    /// What the task is called in the table, its steps, and who consents.
    fn columns(&self) -> [String; 3] {
        let or = |list: Vec<String>, nothing: &str| if list.is_empty() { nothing.to_owned() } else { list.join(", ") };
        let (name, step, consent) = match self.keys {
            DICTATE => ("Dictate: ", "type_text", "the shortcut"),
            ANSWER_HERE => ("Answer here: ", "type_text", "the shortcut"),
            EDIT_SELECTION => ("Edit the selection: ", "type_text", "the shortcut"),
            _ => ("", "a spoken command", "none is needed"),
        };
        let steps = self.calls.iter().map(|call| call.tool.to_owned()).collect();
        let replies = self.asked().map(|(_, reply)| format!("{reply:?}")).collect();
        [format!("{name}{}", self.said), or(steps, step), or(replies, consent)]
    }
}

/// A task that was done.
struct Row {
    /// The task, its steps, the consent and the outcome.
    columns: [String; 4],
    took: Duration,
    problems: Vec<String>,
}

/// The desktop with the app and the model.
pub(super) struct Desk {
    rows: Vec<Row>,
    recorder: Recorder,
    providers: Providers,
    pub(super) app: App,
}

impl Desk {
    /// Starts the app.
    pub(super) fn start() -> Self {
        let providers = Providers::answering("Hello.");
        let aura = Aura::new().with_store().with_all(providers.groq()).settings(SETTINGS);
        for word in ["Yes", "No"] {
            say(&aura.folder().join(format!("{word}.wav")), word);
        }
        Self { rows: Vec::new(), recorder: Recorder::start(), providers, app: aura.start() }
    }

    /// The folder for the files of the test.
    pub(super) fn folder(&self) -> &Path {
        self.app.aura().folder()
    }

    /// Does a task in a conversation of its own. `holds` looks for the `outcome` in the world until it is there. What differs is noted, so
    /// that the other tasks are done all the same.
    pub(super) fn does(&mut self, task: Task<'_>, outcome: &str, mut holds: impl FnMut(&Self) -> bool) -> Value {
        let begun = Instant::now();
        self.app.call("new_session", json!({}));
        let turns = self.app.history().len();
        self.script(&task);
        let speech = question(&self.app, task.said);
        hold_keys(&self.app, task.keys);
        self.app.wait_for_recording();
        play_into_microphone(&speech).wait();
        xdotool(&["keyup", task.keys]);
        self.recorder.mark();
        let (mut problems, mut last) = (Vec::new(), Value::Null);
        for (question, reply) in task.asked() {
            let consent = self.next_question(&last);
            if consent.is_null() {
                problems.push(format!("“{question}” is not asked"));
                break;
            }
            if consent["sentence"] != *question {
                problems.push(format!("{} is asked instead of “{question}”", consent["sentence"]));
            }
            self.reply(*reply);
            last = consent["id"].clone();
        }
        let turn = self.app.turn(turns + 1);
        let tools = turn["tools"].as_array().into_iter().flatten();
        let record: Vec<Value> = tools.map(|tool| json!([tool["name"], tool["outcome"], tool["consent"]])).collect();
        if record != task.record() {
            problems.push(format!("the history has {}", json!(record)));
        }
        let is_stopped = task.asked().any(|(_, reply)| *reply == Reply::Escape);
        if turn["error"].is_null() == is_stopped {
            problems.push(format!("the error is {}", turn["error"]));
        }
        if !wait_until(LIMIT, || holds(self)) {
            problems.push("the outcome is another".into());
        }
        if !problems.is_empty() {
            eprintln!("{}: {problems:?}\n{turn:#}", task.said);
        }
        let [said, steps, consent] = task.columns();
        let columns = [said, steps, consent, outcome.to_owned()];
        self.rows.push(Row { columns, took: begun.elapsed(), problems });
        turn
    }

    /// Tells the recogniser and the model what they do.
    fn script(&self, task: &Task<'_>) {
        let answers = task.asked().map(|(_, reply)| if *reply == Reply::Yes { "Yes." } else { "No." });
        let heard = std::iter::once(task.said).chain(answers).map(|text| Rule {
            when: RuleCondition { service: Some(Service::Stt), ..RuleCondition::default() },
            reply: ScriptedReply { text: text.into(), ..ScriptedReply::default() },
            times: Some(1),
        });
        let calls = task.calls.iter().map(|Call { tool, arguments, .. }| {
            Rule::calling(vec![ToolCall { name: (*tool).into(), arguments: arguments.clone() }])
        });
        let rules = heard.chain(calls).chain([Rule::reply(task.answer)]).collect();
        self.providers.script(Script { rules });
    }

    /// The question that waits for an answer, other than the last one; null when none comes.
    fn next_question(&self, last: &Value) -> Value {
        let mut consent = Value::Null;
        wait_until(LIMIT, || {
            consent = self.app.call("snapshot", json!({}))["consent"].clone();
            let is_new = consent.is_object() && consent["id"] != *last;
            if !is_new {
                consent = Value::Null;
            }
            is_new
        });
        consent
    }

    fn reply(&self, reply: Reply) {
        let word = match reply {
            Reply::Yes => "Yes",
            Reply::No => "No",
            Reply::Escape => {
                // AURA takes the key a moment after it asks. Once the turn is over, the window in front would get it.
                let is_over = || {
                    xdotool(&["key", "Escape"]);
                    wait_until(Duration::from_secs(2), || self.app.stage() == "idle")
                };
                assert!(wait_until(LIMIT, is_over), "Esc does nothing");
                return;
            }
        };
        hold_keys(&self.app, SHORTCUT);
        play_into_microphone(&self.folder().join(format!("{word}.wav"))).wait();
        xdotool(&["keyup", SHORTCUT]);
        self.recorder.mark();
    }

    /// Whether the last request to the model holds a text.
    pub(super) fn model_was_told(&self, text: &str) -> bool {
        let requests = self.providers.requests(Service::Llm);
        let last = requests.last().and_then(|request| request.json.as_ref());
        last.is_some_and(|json| json["messages"].to_string().contains(text))
    }

    /// Whether the loudspeaker has said a sentence since the last answer of the person.
    pub(super) fn was_said(&self, sentence: &str) -> bool {
        self.recorder.wait_for_silence(Duration::from_millis(300), LIMIT);
        let file = self.recorder.save(&self.folder().join("said.wav"));
        recognise(&file, &[sentence.to_owned()]).iter().any(|heard| heard == sentence)
    }

    /// Prints the table. Panics unless every task was done as expected.
    pub(super) fn report(&self) {
        let width = |column: usize| self.rows.iter().map(|row| row.columns[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d] = [0, 1, 2, 3].map(width);
        for (Row { columns: [said, steps, consent, outcome], took, problems }, number) in self.rows.iter().zip(1..) {
            let mark = if problems.is_empty() { "pass" } else { "FAIL" };
            let seconds = took.as_secs();
            eprintln!("{number:2} | {said:a$} | {steps:b$} | {consent:c$} | {outcome:d$} | {seconds:2} s | {mark}");
        }
        let failed = self.rows.iter().filter(|row| !row.problems.is_empty());
        let failed: Vec<_> = failed.map(|row| (&row.columns[0], &row.problems)).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }

    /// The programs that AURA has started for the person.
    fn opened(&self) -> Vec<u32> {
        let family = self.app.process().map(family).unwrap_or_default();
        let others = family.into_iter().filter(|process| !process.is_web() && !process.name.starts_with("aura"));
        others.map(|process| process.id).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for id in self.opened() {
            // One that was its parent may have taken it along.
            let _ = Command::new("kill").arg(id.to_string()).output();
        }
    }
}

/// The path of a file as a question says it.
pub(super) fn shown(file: &Path) -> String {
    file.canonicalize().expect("the file exists").display().to_string()
}
