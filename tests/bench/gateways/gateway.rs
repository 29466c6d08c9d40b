//! The programs that forward requests.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::process::Running;
use aura_tests::processes::family;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// The key by which the other gateways know their caller, where they demand one.
const KEY: &str = "Bearer sk-bench";
/// How long a gateway may take to start. LiteLLM takes half a minute.
const START: Duration = Duration::from_secs(120);

/// A gateway, or the provider itself.
pub(crate) struct Gateway {
    pub(crate) name: String,
    /// As `host:port`.
    pub(crate) address: String,
    /// The model that a caller names.
    pub(crate) model: &'static str,
    /// The `Authorization` header of a caller.
    pub(crate) key: &'static str,
    program: Option<Program>,
}

struct Program {
    running: Running,
    /// Its configuration.
    _folder: Box<dyn std::any::Any>,
}

impl Gateway {
    /// The provider, asked directly.
    pub(crate) fn none(address: String) -> Self {
        Self { name: "directly".to_owned(), address, model: "m", key: KEY, program: None }
    }

    /// `aura-server` from this folder.
    pub(crate) fn aura(programs: &Path, upstream: &str) -> Self {
        let aura = Aura::of(programs.join("aura-server"));
        let mut command = aura.command(&["--port", "0"]);
        command.env("GROQ_API_KEY", "sk-bench").env("GROQ_BASE_URL", format!("http://{upstream}/v1"));
        command.env("RUST_LOG", "warn").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(&mut command, "the workspace's own build");
        let line = running.first_line();
        let address = line.split_once("http://").unwrap_or_else(|| panic!("the server did not start: {line}")).1;
        let address = address.trim().trim_end_matches('/').replace("localhost", "127.0.0.1");
        let program = Some(Program { running, _folder: Box::new(aura) });
        Self { name: "AURA".to_owned(), address, model: "groq/openai/gpt-oss-20b", key: KEY, program }
    }

    /// Another gateway: its name, and the program that starts it.
    pub(crate) fn peer(name: &str, program: &str, upstream: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = match name {
            "crabllm" => crabllm(program, port, upstream, &folder),
            "LiteLLM" => litellm(program, port, upstream, &folder),
            other => panic!("it is not known how to start {other}"),
        };
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running::start(&mut command, name);
        let program = Some(Program { running, _folder: Box::new(folder) });
        Self { name: name.to_owned(), address: format!("127.0.0.1:{port}"), model: "m", key: KEY, program }
    }

    /// Waits until it accepts connections.
    pub(crate) async fn wait(&self) {
        let connects = async {
            while TcpStream::connect(&self.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let started = tokio::time::timeout(START, connects).await;
        started.unwrap_or_else(|_| panic!("{} did not start", self.name));
    }

    /// The most memory that its processes had, resident, kB; `None` for the provider itself.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let program = self.program.as_ref()?;
        Some(family(program.running.id()).into_iter().map(|process| peak(process.id)).sum())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(program) = &mut self.program {
            program.running.end_family();
        }
    }
}

fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn crabllm(program: &str, port: u16, upstream: &str, folder: &TempDir) -> Command {
    let file = folder.path().join("crabllm.toml");
    let configuration = format!(
        "listen = \"127.0.0.1:{port}\"\n\n[providers.bench]\nkind = \"openai\"\napi_key = \"sk-bench\"\n\
         base_url = \"http://{upstream}/v1\"\nmodels = [\"m\"]\n"
    );
    std::fs::write(&file, configuration).unwrap();
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(file);
    command
}

fn litellm(program: &str, port: u16, upstream: &str, folder: &TempDir) -> Command {
    let file = folder.path().join("litellm.yaml");
    let configuration = format!(
        "model_list:\n  - model_name: m\n    litellm_params:\n      model: openai/m\n      api_key: sk-bench\n      \
         api_base: http://{upstream}/v1\nlitellm_settings:\n  telemetry: false\n"
    );
    std::fs::write(&file, configuration).unwrap();
    let mut command = Command::new(program);
    // A worker for each processor of a small computer, as its own manual advises.
    command.args(["--port", &port.to_string(), "--host", "127.0.0.1", "--num_workers", "2", "--config"]).arg(file);
    command.env("LITELLM_LOG", "ERROR").env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    command
}
