//! The program with one model, and the folder of the models.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use aura_local::protocol::{Event, Load, Request, read_blocking, write_blocking};

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_aura-engine");

/// The folder of the models: that of `AURA_MODELS`, else `models` in the target folder. `None` where tests of models are left out.
///
/// # Panics
/// When it is missing.
pub(crate) fn models() -> Option<PathBuf> {
    let beside = || Path::new(PROGRAM).ancestors().nth(2).expect("a program lies in target/debug").join("models");
    let folder = std::env::var_os("AURA_MODELS").map_or_else(beside, PathBuf::from);
    let alone = std::env::var_os("AURA_CORE_ALONE").is_some();
    assert!(
        folder.is_dir() || alone,
        "this test needs the models in {}: fill it with `cargo xtask test`, or set AURA_MODELS (or AURA_CORE_ALONE=1 to skip it)",
        folder.display()
    );
    folder.is_dir().then_some(folder)
}

/// The files of a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// The file of a folder whose name begins with `name`.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let is_named = |path: &PathBuf| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name));
    files(folder).into_iter().find(is_named)
}

/// The shared library of ONNX Runtime; `None` where tests of models are left out.
pub(crate) fn onnx_runtime() -> Option<PathBuf> {
    let folder = models()?.join("onnxruntime");
    let names = ["libonnxruntime", "onnxruntime.dll"];
    let library = names.iter().find_map(|name| find(&folder, name));
    Some(library.unwrap_or_else(|| panic!("there is no ONNX Runtime in {}", folder.display())))
}

/// The program with a model in it. It is killed when this is dropped.
pub(crate) struct Program {
    pub(crate) child: Child,
    /// Its standard input; `None` once it was closed.
    pub(crate) input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last_id: u64,
}

impl Program {
    /// Starts the program and sends it the request to load.
    pub(crate) fn spawn(load: &Load) -> Self {
        let mut command = Command::new(PROGRAM);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("it is piped")));
        let mut program = Self { child, input, output, last_id: 0 };
        program.send(&Request::Load(load.clone()), &[]);
        program
    }

    /// Starts the program, and returns its answer to `load`.
    pub(crate) fn start(load: &Load) -> (Self, Event) {
        let mut program = Self::spawn(load);
        let event = program.event();
        (program, event)
    }

    /// Starts the program with a model that loads.
    pub(crate) fn ready(load: &Load) -> Self {
        let (program, event) = Self::start(load);
        assert!(matches!(event, Event::Ready { .. }), "{event:?}");
        program
    }

    pub(crate) fn send(&mut self, request: &Request, payload: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        write_blocking(input, request, payload).expect("the program reads");
    }

    /// The next event and its payload.
    pub(crate) fn next(&mut self) -> (Event, Vec<u8>) {
        read_blocking(&mut self.output).expect("the program writes frames").expect("the program goes on")
    }

    pub(crate) fn event(&mut self) -> Event {
        self.next().0
    }

    /// Whether the program has closed its output. Waits for that, or for an event.
    pub(crate) fn has_ended(&mut self) -> bool {
        read_blocking::<Event>(&mut self.output).expect("the program writes frames").is_none()
    }

    /// An id that no request had before.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
