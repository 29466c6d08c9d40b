//! The blindfold test by keyboard: real keys, and the accessibility tree as the only output, as a screen reader has it.

use std::time::Duration;

use aura_core::desktop::{Element, ElementState, TargetWindow};
use aura_core::ports::Desktop;
use aura_platform::SystemDesktop;
use aura_sandbox::{Fault, FixedAnswers, FixedAudio, Rule, SandboxConfig, Script, Service, TestSignal, ToolCall};
use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop_and_accessibility;
use aura_tests::desktop_port::wait;
use aura_tests::display::xdotool;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use serde_json::json;

const FIRST: &str = "There are many people looking for money.";
const SECOND: &str = "I think you are looking at many people.";
const LIMIT: Duration = Duration::from_secs(60);
/// The most keys from one control to another.
const MAX_KEYS: usize = 80;

/// AURA's window as a screen reader has it.
struct Reader {
    desktop: SystemDesktop,
    window: TargetWindow,
}

impl Reader {
    fn open() -> Self {
        let desktop = SystemDesktop::default();
        let window = wait(desktop.target_window()).expect("AURA's window is in front");
        Self { desktop, window }
    }

    fn elements(&self) -> Vec<Element> {
        wait(self.desktop.read_window(&self.window)).map(|contents| contents.elements).unwrap_or_default()
    }

    fn outline(&self) -> String {
        wait(self.desktop.read_window(&self.window)).map(|contents| contents.outline(&self.window)).unwrap_or_default()
    }

    /// How many elements say this.
    fn count(&self, text: &str) -> usize {
        self.elements().iter().filter(|element| element.control.name.contains(text)).count()
    }

    fn wait_for(&self, text: &str) {
        self.wait_for_more(text, 0);
    }

    /// Waits until more than `count` elements say this.
    fn wait_for_more(&self, text: &str, count: usize) {
        assert!(wait_until(LIMIT, || self.count(text) > count), "“{text}” is not said:\n{}", self.outline());
    }

    /// Whether the control with this role whose name begins so has the focus.
    fn is_focused(&self, role: &str, name: &str) -> bool {
        self.elements().iter().any(|Element { control, states, .. }| {
            control.role == role && control.name.starts_with(name) && states.contains(&ElementState::Focused)
        })
    }

    fn wait_until_focused(&self, role: &str, name: &str) {
        let focused = wait_until(LIMIT, || self.is_focused(role, name));
        assert!(focused, "{role} “{name}” has not the focus:\n{}", self.outline());
    }

    /// Moves the focus to a control.
    fn tab_to(&self, role: &str, name: &str) {
        for _ in 0..MAX_KEYS {
            if self.is_focused(role, name) {
                return;
            }
            xdotool(&["key", "Tab"]);
            std::thread::sleep(Duration::from_millis(30));
        }
        panic!("{role} “{name}” is not reached:\n{}", self.outline());
    }

    /// Waits for the line under an answer that names this provider: the answer has ended.
    fn wait_for_line_of(&self, provider: &str) {
        let is_line = |element: &Element| {
            let name = &element.control.name;
            name.starts_with(provider) && name.ends_with("How this answer was made")
        };
        let told = wait_until(LIMIT, || self.elements().iter().any(is_line));
        assert!(told, "{provider} is not named:\n{}", self.outline());
    }

    /// Types a question.
    fn ask(&self, question: &str) {
        self.tab_to("entry", "Your question");
        xdotool(&["type", "--delay", "20", question]);
        xdotool(&["key", "Return"]);
    }
}

#[test]
fn everything_works_with_the_keyboard_and_a_screen_reader() {
    with_desktop_and_accessibility("screen_reader::everything_works_with_the_keyboard_and_a_screen_reader", || {
        // Long enough that its playback is seen.
        let audio = Some(FixedAudio { sound: TestSignal::Tone, ms: 3_000 });
        let fixed = FixedAnswers { audio, ..FixedAnswers::default() };
        let script = Script::always(FIRST);
        let providers = Providers::of(SandboxConfig { fixed, script, ..SandboxConfig::default() });
        // Without fallback, so that a provider that fails is told to fail.
        let aura = Aura::new().with_store().without("NO_AT_BRIDGE").settings("fallback = false\n");
        let app = aura.with_all(providers.groq()).with_all(providers.gemini()).start();
        let reader = Reader::open();

        // From the first start to an answered question.
        reader.wait_for("Hold a shortcut, and talk");
        reader.ask("what are people looking for");
        reader.wait_for(FIRST);
        reader.wait_for_line_of("Groq");

        // Another provider.
        xdotool(&["key", "ctrl+m"]);
        // Once an item is chosen, it has the focus for a screen reader, and the field gets what is typed.
        let is_open = || {
            reader.is_focused("combo box", "Find a provider, model or voice")
                || reader.is_focused("list item", "Automatic")
        };
        assert!(wait_until(LIMIT, is_open), "the list has not the focus:\n{}", reader.outline());
        xdotool(&["type", "--delay", "20", "Gemini"]);
        reader.wait_until_focused("list item", "3.5-flash-lite");
        xdotool(&["key", "Return"]);
        reader.wait_for("Model: Google Gemini");
        providers.answer(SECOND);
        reader.ask("and what do you think");
        reader.wait_for(SECOND);
        reader.wait_for_line_of("Google Gemini");

        // The sentence again. The buttons of the playback tell that it is said, and by which keys it is stopped.
        assert_eq!(reader.count("Pause"), 0, "{}", reader.outline());
        xdotool(&["key", "alt+Left"]);
        reader.wait_for("Pause");
        assert!(wait_until(LIMIT, || reader.count("Pause") == 0), "it does not end:\n{}", reader.outline());

        // The screen, because the model asks to see it.
        let look = ToolCall { name: "look_at_screen".into(), arguments: json!({}) };
        providers.script(Script { rules: vec![Rule::calling(vec![look]), Rule::reply(FIRST)] });
        reader.ask("what does this say");
        reader.wait_for("saw your screen");

        // A failure is told, and the next question is answered.
        providers.fault(Fault::status(500).service(Service::Llm));
        reader.ask("are you there");
        reader.wait_for("AURA could not answer: Google Gemini was overloaded.");
        providers.clear_faults();
        providers.answer(SECOND);
        let before = reader.count(SECOND);
        reader.ask("are you there now");
        reader.wait_for_more(SECOND, before);
        assert_eq!(app.turn(5)["answer"], SECOND);
    });
}
