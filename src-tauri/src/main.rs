//! AURA: hold a key, speak, and the computer answers aloud. The desktop app and the command line are one program.

use std::process::ExitCode;

fn main() -> ExitCode {
    aura::prepare_process();
    aura::main()
}
