//! What AURA says about an action, in the languages of the interface. The windows have their own sentences; these are for the voice, and
//! in English for the command line and the local API.

use serde_json::Value;

use crate::action::Action;
use crate::desktop::{MediaCommand, OpenTarget, TargetWindow};
use crate::timers::Timer;

/// The longest text that is read out in a question, in characters. Of a longer one, the beginning is.
const MAX_SPOKEN: usize = 160;

/// A language of the interface.
#[derive(Clone, Copy)]
enum Spoken {
    English,
    German,
    Spanish,
}

impl Spoken {
    fn of(code: &str) -> Self {
        match code {
            "de" => Self::German,
            "es" => Self::Spanish,
            _ => Self::English,
        }
    }

    /// The sentence in this language.
    fn pick<T>(self, english: T, german: T, spanish: T) -> T {
        match self {
            Self::English => english,
            Self::German => german,
            Self::Spanish => spanish,
        }
    }
}

/// The question whether an action may be done. `language` is an ISO 639-1 code; another language than those of the interface gets English.
pub(crate) fn question(action: &Action, language: &str) -> String {
    let spoken = Spoken::of(language);
    let asked = match action {
        Action::Open { target } => {
            let what = match target {
                OpenTarget::Application { name, .. } => name,
                OpenTarget::File { path } => path,
                OpenTarget::Address { url } => url,
            };
            let what = shortened(what);
            spoken.pick(format!("Shall I open {what}?"), format!("Soll ich {what} öffnen?"), format!("¿Abro {what}?"))
        }
        Action::ReadClipboard => spoken
            .pick("May I read the clipboard?", "Darf ich die Zwischenablage lesen?", "¿Puedo leer el portapapeles?")
            .into(),
        Action::ReadSelection => spoken
            .pick(
                "May I read the selected text?",
                "Darf ich den markierten Text lesen?",
                "¿Puedo leer el texto seleccionado?",
            )
            .into(),
        Action::SetClipboard { text } => {
            let text = quoted(text, spoken);
            spoken.pick(
                format!("Shall I put {text} on the clipboard?"),
                format!("Soll ich {text} in die Zwischenablage legen?"),
                format!("¿Pongo {text} en el portapapeles?"),
            )
        }
        Action::TypeText { text, window } => {
            let (text, window) = (quoted(text, spoken), named(window, spoken));
            spoken.pick(
                format!("Shall I type {text} into {window}?"),
                format!("Soll ich {text} in das {window} tippen?"),
                format!("¿Escribo {text} en la {window}?"),
            )
        }
        Action::PressShortcut { keys, window } => {
            let window = named(window, spoken);
            spoken.pick(
                format!("Shall I press {keys} in {window}?"),
                format!("Soll ich im {window} {keys} drücken?"),
                format!("¿Pulso {keys} en la {window}?"),
            )
        }
        Action::ReadWindow { window } => {
            let window = named(window, spoken);
            spoken.pick(
                format!("May I read what is in {window}?"),
                format!("Darf ich lesen, was im {window} steht?"),
                format!("¿Puedo leer lo que hay en la {window}?"),
            )
        }
        Action::UseControl { control, window } => {
            let (name, window) = (quoted(&control.name, spoken), named(window, spoken));
            match control.is_field {
                true => spoken.pick(
                    format!("Shall I put the cursor into {name} in {window}?"),
                    format!("Soll ich im {window} den Cursor in {name} setzen?"),
                    format!("¿Pongo el cursor en {name} en la {window}?"),
                ),
                false => spoken.pick(
                    format!("Shall I press {name} in {window}?"),
                    format!("Soll ich im {window} {name} drücken?"),
                    format!("¿Pulso {name} en la {window}?"),
                ),
            }
        }
        Action::Media { media } => match media {
            MediaCommand::Play => spoken
                .pick("Shall I go on playing?", "Soll ich die Wiedergabe starten?", "¿Reanudo la reproducción?")
                .into(),
            MediaCommand::Pause => spoken
                .pick("Shall I pause the playback?", "Soll ich die Wiedergabe anhalten?", "¿Pauso la reproducción?")
                .into(),
            MediaCommand::Next => spoken
                .pick("Shall I play the next title?", "Soll ich den nächsten Titel spielen?", "¿Paso a la siguiente?")
                .into(),
            MediaCommand::Previous => spoken
                .pick(
                    "Shall I play the previous title?",
                    "Soll ich den vorigen Titel spielen?",
                    "¿Vuelvo a la anterior?",
                )
                .into(),
            MediaCommand::Volume { percent } => spoken.pick(
                format!("Shall I set the volume to {percent} percent?"),
                format!("Soll ich die Lautstärke auf {percent} Prozent stellen?"),
                format!("¿Pongo el volumen al {percent} por ciento?"),
            ),
        },
        Action::SetTimer { seconds, label } => {
            let time = duration(*seconds, spoken);
            let label = labelled(label, spoken);
            spoken.pick(
                format!("Shall I set a timer for {time}{label}?"),
                format!("Soll ich einen Timer auf {time}{label} stellen?"),
                format!("¿Pongo un temporizador de {time}{label}?"),
            )
        }
        Action::CancelTimer { timer, label } => {
            let label = labelled(label, spoken);
            spoken.pick(
                format!("Shall I cancel timer {timer}{label}?"),
                format!("Soll ich Timer {timer}{label} abbrechen?"),
                format!("¿Cancelo el temporizador {timer}{label}?"),
            )
        }
        Action::CallMcpTool { server, tool, arguments, .. } => {
            let (server, tool) = (quoted(server, spoken), quoted(tool, spoken));
            let with = match arguments.is_empty() {
                true => String::new(),
                false => {
                    let list = arguments.iter().map(|(name, value)| match value {
                        Value::String(text) => format!("{name}: {text}"),
                        value => format!("{name}: {value}"),
                    });
                    let list = shortened(&list.collect::<Vec<_>>().join("; "));
                    spoken.pick(format!(" with {list}"), format!(" mit {list}"), format!(" con {list}"))
                }
            };
            spoken.pick(
                format!("Shall I use {tool} of {server}{with}?"),
                format!("Soll ich {tool} von {server} verwenden{with}?"),
                format!("¿Uso {tool} de {server}{with}?"),
            )
        }
        Action::Plan { .. } | Action::Unknown => {
            spoken.pick("Shall I go on?", "Soll ich weitermachen?", "¿Sigo?").into()
        }
    };
    format!("{asked} {}", spoken.pick("Yes or no?", "Ja oder nein?", "¿Sí o no?"))
}

/// The warning before a question to which text that AURA read may have led.
pub(crate) fn warning(language: &str) -> &'static str {
    Spoken::of(language).pick(
        "Careful: I have read text that is not yours, and it may be behind this.",
        "Vorsicht: Dahinter kann ein fremder Text stecken, den ich gelesen habe.",
        "Cuidado: he leído un texto ajeno que puede estar detrás de esto.",
    )
}

/// Why a step cannot be done for which there is no tool.
pub(crate) fn no_tool(language: &str) -> &'static str {
    Spoken::of(language).pick(
        "AURA has no tool for this on this computer.",
        "Dafür hat AURA auf diesem Computer kein Werkzeug.",
        "AURA no tiene ninguna herramienta para esto en este ordenador.",
    )
}

/// That a step of a plan cannot be done.
pub(crate) fn plan_problem(number: u32, text: &str, problem: &str, language: &str) -> String {
    Spoken::of(language).pick(
        format!("Step {number} (“{text}”) cannot be done here: {problem}"),
        format!("Schritt {number} („{text}“) geht hier nicht: {problem}"),
        format!("El paso {number} («{text}») no se puede hacer aquí: {problem}"),
    )
}

/// What is said when a timer is over. `late` is by how many seconds, for one that fell due while AURA was off.
pub(crate) fn reminder(timer: &Timer, late: Option<u64>) -> String {
    let spoken = Spoken::of(timer.language.as_deref().unwrap_or("en"));
    let time = duration(timer.seconds, spoken);
    let said = match timer.label.as_str() {
        "" => spoken.pick(
            format!("Your timer of {time} is over."),
            format!("Der Timer über {time} ist abgelaufen."),
            format!("El temporizador de {time} ha terminado."),
        ),
        label => {
            spoken.pick(format!("Reminder: {label}"), format!("Erinnerung: {label}"), format!("Recordatorio: {label}"))
        }
    };
    let end = if said.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    let late = late.map(|seconds| {
        let ago = duration(u32::try_from(seconds).unwrap_or(u32::MAX), spoken);
        spoken.pick(
            format!(" It was due {ago} ago, while AURA was off."),
            // The dative of days alone differs.
            format!(" Fällig war das vor {}, als AURA nicht lief.", ago.replace(" Tage", " Tagen")),
            format!(" Era para hace {ago}, mientras AURA estaba cerrada."),
        )
    });
    format!("{said}{end}{}", late.unwrap_or_default())
}

/// A duration in words, in its two largest units.
fn duration(seconds: u32, spoken: Spoken) -> String {
    let unit = |count: u32, [one, many]: [&str; 2]| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {many}")),
    };
    let [days, hours, minutes, secs] = spoken.pick(
        [["day", "days"], ["hour", "hours"], ["minute", "minutes"], ["second", "seconds"]],
        [["Tag", "Tage"], ["Stunde", "Stunden"], ["Minute", "Minuten"], ["Sekunde", "Sekunden"]],
        [["día", "días"], ["hora", "horas"], ["minuto", "minutos"], ["segundo", "segundos"]],
    );
    let units = [
        unit(seconds / 86_400, days),
        unit(seconds / 3_600 % 24, hours),
        unit(seconds / 60 % 60, minutes),
        unit(seconds % 60, secs),
    ];
    let said: Vec<String> = units.into_iter().flatten().take(2).collect();
    match said.is_empty() {
        true => spoken.pick("a moment", "einem Moment", "un momento").into(),
        false => said.join(spoken.pick(" and ", " und ", " y ")),
    }
}

/// A label after a timer: `, “tea”`.
fn labelled(label: &str, spoken: Spoken) -> String {
    match label {
        "" => String::new(),
        label => format!(" {}", quoted(label, spoken)),
    }
}

/// A text in quotation marks, or its length and its beginning.
fn quoted(text: &str, spoken: Spoken) -> String {
    let count = text.chars().count();
    let shown = shortened(text);
    if count <= MAX_SPOKEN {
        return spoken.pick(format!("“{shown}”"), format!("„{shown}“"), format!("«{shown}»"));
    }
    spoken.pick(
        format!("a text of {count} characters that begins with “{shown}”"),
        format!("einen Text von {count} Zeichen, der mit „{shown}“ beginnt,"),
        format!("un texto de {count} caracteres que empieza por «{shown}»"),
    )
}

/// A window by its title; of one that tells none, where it is. English with the article.
fn named(window: &TargetWindow, spoken: Spoken) -> String {
    let title = shortened(&window.title);
    match title.is_empty() {
        true => spoken.pick("the window in front", "Fenster im Vordergrund", "ventana activa").into(),
        false => {
            spoken.pick(format!("the window “{title}”"), format!("Fenster „{title}“"), format!("ventana «{title}»"))
        }
    }
}

/// The text on one line, cut after [`MAX_SPOKEN`] characters.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_SPOKEN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_exactly_what_would_be_done() {
        let window = TargetWindow::new(7, "Letter\u{7}");
        let typing = |text: &str| Action::TypeText { text: text.into(), window: window.clone() };
        assert_eq!(question(&typing("Hello"), "en"), "Shall I type “Hello” into the window “Letter”? Yes or no?");
        assert_eq!(question(&typing("Hallo"), "de"), "Soll ich „Hallo“ in das Fenster „Letter“ tippen? Ja oder nein?");
        assert_eq!(question(&typing("Hola"), "es"), "¿Escribo «Hola» en la ventana «Letter»? ¿Sí o no?");
        let untitled = Action::PressShortcut { keys: "Ctrl+S".into(), window: TargetWindow::new(0, "") };
        assert_eq!(question(&untitled, "en"), "Shall I press Ctrl+S in the window in front? Yes or no?");
        assert_eq!(question(&untitled, "de"), "Soll ich im Fenster im Vordergrund Ctrl+S drücken? Ja oder nein?");
        assert!(question(&typing(&"x".repeat(500)), "fr").contains("a text of 500 characters"));
        let open = Action::Open { target: OpenTarget::Address { url: "https://example.org/".into() } };
        assert_eq!(question(&open, "en"), "Shall I open https://example.org/? Yes or no?");
        let call = Action::CallMcpTool {
            server: "git hub".into(),
            tool: "create_issue".into(),
            title: None,
            arguments: serde_json::from_str(r#"{"count": 2, "title": "A\nB"}"#).unwrap(),
            fingerprint: String::new(),
        };
        assert_eq!(
            question(&call, "en"),
            "Shall I use “create_issue” of “git hub” with count: 2; title: A B? Yes or no?"
        );
        let timer = Action::SetTimer { seconds: 5_400, label: "Tee".into() };
        assert_eq!(
            question(&timer, "de"),
            "Soll ich einen Timer auf 1 Stunde und 30 Minuten „Tee“ stellen? Ja oder nein?"
        );
    }

    #[test]
    fn a_reminder_says_what_it_is_for_and_that_it_is_late() {
        let timer = |label: &str, language: &str| Timer {
            id: 1,
            label: label.into(),
            due: jiff::Timestamp::UNIX_EPOCH,
            seconds: 600,
            language: Some(language.into()),
        };
        assert_eq!(reminder(&timer("", "en"), None), "Your timer of 10 minutes is over.");
        assert_eq!(
            reminder(&timer("call Ana", "en"), Some(3_700)),
            "Reminder: call Ana. It was due 1 hour and 1 minute ago, while AURA was off."
        );
        assert_eq!(reminder(&timer("", "de"), None), "Der Timer über 10 Minuten ist abgelaufen.");
        assert_eq!(reminder(&timer("¿Té?", "es"), None), "Recordatorio: ¿Té?");
    }
}
