//! What attempts used and cost: the price of each, the basis it rests on, and the sums per day.
//!
//! Nothing here waits: the router notes an attempt, the sums in memory grow, and a task of its own hands the entries on to the
//! ledger that the machine keeps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use ts_rs::TS;

use crate::catalog;
use crate::ports::Ledger;
use crate::providers::{Class, Service, Usage};
use crate::record::{Attempt, Route};

/// How many entries wait for the disk; the sums in memory are right even if it is slower than that.
const WAITING: usize = 4_096;
/// How many entries are written at once.
const BATCH: usize = 64;
/// Characters of a text per token, for answers whose provider did not count: what English is close to.
const CHARACTERS_A_TOKEN: u32 = 4;
/// Tokens of a second of sound that is heard, for providers who count sound in tokens: Gemini's number.
const TOKENS_A_SECOND_HEARD: f32 = 32.0;
/// The same for sound that is spoken.
const TOKENS_A_SECOND_SPOKEN: f32 = 25.0;

/// What a cost rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Basis {
    /// The provider said what it cost.
    Reported,
    /// The provider counted and the catalog has the price.
    Priced,
    /// AURA counted, because the provider did not, and the catalog has the price.
    Estimated,
    /// Neither is known.
    #[default]
    Unknown,
}

/// What an attempt cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[ts(export)]
pub struct Cost {
    /// US dollars; absent when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub usd: Option<f64>,
    /// What it rests on.
    pub basis: Basis,
}

/// What AURA knows of a call besides what the provider counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    /// Characters that went in.
    pub(crate) asked: u32,
    /// Characters that came out.
    pub(crate) said: u32,
    /// Seconds of sound that went in.
    pub(crate) heard_s: f32,
    /// Seconds of sound that came out.
    pub(crate) spoken_s: f32,
}

impl Measured {
    /// What the provider did not count itself, counted here.
    fn fill(self, usage: &Usage) -> Usage {
        let written = |characters: u32| characters.div_ceil(CHARACTERS_A_TOKEN);
        let sounding = |seconds: f32, rate: f32| (seconds * rate).ceil() as u32;
        let asked = written(self.asked) + sounding(self.heard_s, TOKENS_A_SECOND_HEARD);
        let said = match self.spoken_s > 0.0 {
            true => sounding(self.spoken_s, TOKENS_A_SECOND_SPOKEN),
            false => written(self.said),
        };
        Usage {
            input_tokens: usage.input_tokens.or(Some(asked)),
            output_tokens: usage.output_tokens.or(Some(said)),
            audio_seconds: usage.audio_seconds.or(Some(self.heard_s).filter(|seconds| *seconds > 0.0)),
            characters: usage.characters.or(Some(self.said)),
            ..usage.clone()
        }
    }
}

/// The cost of a call that ended so. What was refused at once costs nothing: no provider bills it. What was given up while the
/// provider was at work may well be billed, and nobody says how much.
pub(crate) fn cost(
    known_as: &str,
    local: bool,
    route: &Route,
    class: Option<Class>,
    usage: &Usage,
    measured: Measured,
) -> Cost {
    if let Some(usd) = usage.cost_usd {
        return Cost { usd: Some(usd), basis: Basis::Reported };
    }
    let free = Cost { usd: Some(0.0), basis: Basis::Priced };
    if local {
        return free;
    }
    let nothing_came = measured.said == 0 && !counts(usage);
    match class {
        Some(Class::Timeout | Class::Cancelled | Class::Interrupted) if nothing_came => return Cost::default(),
        Some(_) if nothing_came => return free,
        _ => {}
    }
    let model = usage.model.as_deref().filter(|model| catalog::price(known_as, model, today()).is_some());
    let Some(price) = catalog::price(known_as, model.unwrap_or(&route.model), today()) else { return Cost::default() };
    if let Some(usd) = price.cost(usage) {
        return Cost { usd: Some(usd), basis: Basis::Priced };
    }
    match price.cost(&measured.fill(usage)) {
        Some(usd) => Cost { usd: Some(usd), basis: Basis::Estimated },
        None => Cost::default(),
    }
}

/// Whether the provider counted anything; what is left of its allowance is no count.
fn counts(usage: &Usage) -> bool {
    usage.input_tokens.is_some()
        || usage.output_tokens.is_some()
        || usage.audio_seconds.is_some()
        || usage.characters.is_some()
}

fn today() -> Date {
    jiff::Zoned::now().date()
}

/// One attempt in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it ended.
    pub at: jiff::Timestamp,
    /// The attempt.
    pub attempt: Attempt,
}

/// What one provider did for one service on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DaySum {
    /// The day, in this computer's time zone.
    pub day: Date,
    /// The provider.
    pub provider: String,
    /// The service.
    pub service: Service,
    /// The numbers.
    pub sum: Sum,
}

/// Numbers that were added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Sum {
    /// Attempts.
    pub attempts: u32,
    /// Those that failed.
    pub failed: u32,
    /// Tokens read.
    #[ts(type = "number")]
    pub input_tokens: u64,
    /// Tokens written.
    #[ts(type = "number")]
    pub output_tokens: u64,
    /// Seconds of audio.
    pub audio_seconds: f64,
    /// Characters spoken.
    #[ts(type = "number")]
    pub characters: u64,
    /// US dollars, of the attempts whose cost is known.
    pub usd: f64,
    /// Attempts whose cost was estimated.
    pub estimated: u32,
    /// Attempts whose cost is not known.
    pub unknown: u32,
}

impl Sum {
    /// Adds an attempt.
    pub fn add(&mut self, attempt: &Attempt) {
        let Usage { input_tokens, output_tokens, audio_seconds, characters, .. } = &attempt.usage;
        self.attempts += 1;
        self.failed += u32::from(attempt.class.is_some_and(|class| class != Class::Cancelled));
        self.input_tokens += u64::from(input_tokens.unwrap_or(0));
        self.output_tokens += u64::from(output_tokens.unwrap_or(0));
        self.audio_seconds += f64::from(audio_seconds.unwrap_or(0.0));
        self.characters += u64::from(characters.unwrap_or(0));
        self.usd += attempt.cost.usd.unwrap_or(0.0);
        self.estimated += u32::from(attempt.cost.basis == Basis::Estimated);
        self.unknown += u32::from(attempt.cost.basis == Basis::Unknown);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.failed += other.failed;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.audio_seconds += other.audio_seconds;
        self.characters += other.characters;
        self.usd += other.usd;
        self.estimated += other.estimated;
        self.unknown += other.unknown;
    }
}

/// What was used, per provider and service, today and in this month.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct UsageReport {
    /// Each provider and service that was used this month.
    pub lines: Vec<UsageLine>,
    /// All of them, today.
    pub today: Sum,
    /// All of them, this month.
    pub month: Sum,
    /// The day the prices were last compared with what the providers publish.
    #[ts(type = "string")]
    pub prices_of: Date,
}

/// What one provider did for one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct UsageLine {
    /// The provider.
    pub provider: String,
    /// The service.
    pub service: Service,
    /// Today.
    pub today: Sum,
    /// This month.
    pub month: Sum,
}

type Key = (Date, String, Service);

/// Adds up what attempts used and keeps it.
#[derive(Clone)]
pub(crate) struct Accounts {
    sums: Arc<Mutex<BTreeMap<Key, Sum>>>,
    to_ledger: mpsc::Sender<Line>,
}

/// What goes to the ledger's task.
enum Line {
    Entry(Box<Entry>),
    /// Everything before it is written when this is answered.
    Flush(oneshot::Sender<()>),
}

impl Accounts {
    /// Starts the task that writes; without a ledger the sums last until the program ends. The task ends when the last clone is
    /// dropped, after what was noted is written.
    pub(crate) fn start(ledger: Option<Arc<dyn Ledger>>) -> Self {
        let (to_ledger, mut lines) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            while lines.recv_many(&mut batch, BATCH).await > 0 {
                let (mut entries, mut flushed) = (Vec::new(), Vec::new());
                for line in batch.drain(..) {
                    match line {
                        Line::Entry(entry) => entries.push(*entry),
                        Line::Flush(done) => flushed.push(done),
                    }
                }
                if !entries.is_empty()
                    && let Some(ledger) = &ledger
                    && let Err(error) = ledger.add(&entries).await
                {
                    tracing::warn!(%error, "{} attempts are missing from the ledger", entries.len());
                }
                for done in flushed {
                    let _ = done.send(());
                }
            }
        });
        Self { sums: Arc::default(), to_ledger }
    }

    /// Takes over what the ledger holds of this month, once, before the first request.
    pub(crate) async fn load(&self, ledger: &dyn Ledger) {
        let from = today().first_of_month();
        match ledger.sums(from).await {
            Ok(days) => {
                let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
                for DaySum { day, provider, service, sum } in days {
                    sums.entry((day, provider, service)).or_default().merge(&sum);
                }
            }
            Err(error) => tracing::warn!(%error, "what was used earlier this month is not known"),
        }
    }

    /// Notes an attempt.
    pub(crate) fn note(&self, attempt: &Attempt) {
        let key = (today(), attempt.route.provider.clone(), attempt.service);
        {
            let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
            sums.entry(key).or_default().add(attempt);
        }
        let entry = Entry { at: jiff::Timestamp::now(), attempt: attempt.clone() };
        if self.to_ledger.try_send(Line::Entry(Box::new(entry))).is_err() {
            tracing::warn!("an attempt is missing from the ledger: the disk is slower than the requests");
        }
    }

    /// Waits until everything that was noted is written.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.to_ledger.send(Line::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    }

    /// What was used.
    pub(crate) fn report(&self) -> UsageReport {
        let today = today();
        let mut report = UsageReport { prices_of: catalog::verified_on(), ..UsageReport::default() };
        let mut lines: BTreeMap<(String, Service), UsageLine> = BTreeMap::new();
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.retain(|(day, ..), _| day.first_of_month() == today.first_of_month());
        for ((day, provider, service), sum) in sums.iter() {
            let line = lines.entry((provider.clone(), *service)).or_insert_with(|| UsageLine {
                provider: provider.clone(),
                service: *service,
                today: Sum::default(),
                month: Sum::default(),
            });
            line.month.merge(sum);
            report.month.merge(sum);
            if *day == today {
                line.today.merge(sum);
                report.today.merge(sum);
            }
        }
        report.lines = lines.into_values().collect();
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(model: &str) -> Route {
        Route { provider: "gemini".into(), model: model.into(), voice: None }
    }

    fn model() -> &'static str {
        catalog::default_model("gemini", Service::Llm).unwrap()
    }

    #[test]
    fn a_cost_says_what_it_rests_on() {
        let counted = Usage { input_tokens: Some(1_000), output_tokens: Some(100), ..Usage::default() };
        let measured = Measured { asked: 400, said: 80, ..Measured::default() };
        let of = |usage: &Usage, measured| cost("gemini", false, &route(model()), None, usage, measured);

        assert_eq!(of(&counted, measured).basis, Basis::Priced);
        let told = Usage { cost_usd: Some(0.25), ..counted.clone() };
        assert_eq!(of(&told, measured), Cost { usd: Some(0.25), basis: Basis::Reported });
        let guessed = of(&Usage::default(), measured);
        assert_eq!(guessed.basis, Basis::Estimated);
        let as_tokens = Usage { input_tokens: Some(100), output_tokens: Some(20), ..Usage::default() };
        assert_eq!(guessed.usd, of(&as_tokens, measured).usd);
        assert_eq!(cost("nobody", false, &route("x"), None, &counted, measured), Cost::default());
    }

    #[test]
    fn sound_is_estimated_by_its_length() {
        let voice = catalog::default_model("gemini", Service::Tts).unwrap();
        let of = |usage: &Usage, measured| cost("gemini", false, &route(voice), None, usage, measured);
        let spoken = Measured { asked: 40, said: 40, spoken_s: 4.0, ..Measured::default() };
        let characters = Usage { characters: Some(40), audio_seconds: Some(4.0), ..Usage::default() };
        let guessed = of(&characters, spoken);
        let as_tokens = Usage { input_tokens: Some(10), output_tokens: Some(100), ..characters.clone() };
        assert_eq!((guessed.basis, guessed.usd), (Basis::Estimated, of(&as_tokens, spoken).usd));
        assert!(guessed.usd > Some(0.0));

        let ear = catalog::default_model("gemini", Service::Stt).unwrap();
        let heard = Measured { said: 40, heard_s: 10.0, ..Measured::default() };
        let of = |usage: &Usage| cost("gemini", false, &route(ear), None, usage, heard);
        let as_tokens =
            Usage { input_tokens: Some(320), output_tokens: Some(10), audio_seconds: Some(10.0), ..Usage::default() };
        assert_eq!((of(&Usage::default()).basis, of(&Usage::default()).usd), (Basis::Estimated, of(&as_tokens).usd));
    }

    #[test]
    fn what_nobody_bills_costs_nothing_and_what_somebody_may_is_not_known() {
        let free = Cost { usd: Some(0.0), basis: Basis::Priced };
        assert_eq!(cost("offline", true, &route("x"), None, &Usage::default(), Measured::default()), free);
        let asked = Measured { asked: 400, ..Measured::default() };
        let failed =
            |class, usage: &Usage, measured| cost("gemini", false, &route(model()), Some(class), usage, measured);
        let allowance = Usage { rate_limit: Some(crate::providers::RateLimit::default()), ..Usage::default() };
        for class in [Class::Unreachable, Class::RateLimited, Class::Overloaded, Class::Auth] {
            assert_eq!(failed(class, &Usage::default(), asked), free, "{class:?}");
            assert_eq!(failed(class, &allowance, asked), free, "what is left of an allowance is no use of it");
        }
        for class in [Class::Timeout, Class::Cancelled, Class::Interrupted] {
            assert_eq!(failed(class, &Usage::default(), asked), Cost::default(), "{class:?}");
        }
        let half = Measured { said: 80, ..asked };
        assert_eq!(failed(Class::Interrupted, &Usage::default(), half).basis, Basis::Estimated);
    }
}
