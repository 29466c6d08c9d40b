//! What programs offer each other on the display that this process uses: the clipboard, and the selection, which xclip calls `primary`.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{Running, wait_until};

/// The text that is offered as `clipboard` or `primary`; `None` when none is.
pub fn offered(what: &str) -> Option<String> {
    let arguments = ["-o", "-selection", what, "-target", "UTF8_STRING"];
    let done = Command::new("xclip").args(arguments).output();
    let done = done.expect("this test needs the program `xclip`: apt install xclip");
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Offers a text as `clipboard` or `primary` from a program of its own, which ends when another one offers something.
pub fn offer(what: &str, text: &str) -> Running {
    let mut command = Command::new("xclip");
    command.args(["-i", "-quiet", "-selection", what]).stdin(Stdio::piped());
    let mut program = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()), "xclip");
    program.feed(text.as_bytes());
    let is_offered = wait_until(Duration::from_secs(30), || offered(what).as_deref() == Some(text));
    assert!(is_offered, "xclip does not offer the {what}");
    program
}
