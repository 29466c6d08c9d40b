//! Runs programs on this computer for the `offline` provider.

use std::path::PathBuf;
use std::process::Stdio;

use async_trait::async_trait;
use aura_providers::{Job, JobOutput, ProgramError, Programs, inherited_variables};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::paths::create_private;

/// Bytes of standard output that are read at most. A minute of speech is under 6 MB.
const STDOUT_LIMIT: u64 = 256 * 1024 * 1024;

/// Bytes of standard error that are kept: the end, which usually says what went wrong.
const STDERR_LIMIT: usize = 2048;

/// Without it, Windows opens a console for each program that the desktop app starts.
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// The programs on `PATH`.
#[derive(Debug, Clone)]
pub struct LocalPrograms {
    temp: PathBuf,
}

impl LocalPrograms {
    /// Programs whose temporary files lie in this folder, which is created if it is missing. Files that a killed process left there are
    /// deleted. Where the folder cannot be used, the files lie in the user's folder for running programs, else in the one for
    /// temporary files; nobody else can read them there either.
    pub fn new(temp: PathBuf) -> Self {
        let prepared = create_private(&temp).and_then(|()| aura_providers::sweep_temp_files(&temp));
        match prepared {
            Ok(0) => Self { temp },
            Ok(files) => {
                tracing::info!(files, "deleted temporary files of a process that was killed");
                Self { temp }
            }
            Err(cause) => {
                tracing::warn!(%cause, folder = %temp.display(), "the folder for temporary files cannot be used");
                let running = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
                Self { temp: running.unwrap_or_else(std::env::temp_dir) }
            }
        }
    }
}

#[async_trait]
impl Programs for LocalPrograms {
    fn temp_folder(&self) -> PathBuf {
        self.temp.clone()
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        which::which(name).ok()
    }

    async fn run(&self, job: Job) -> Result<JobOutput, ProgramError> {
        let name = job.program.file_name().unwrap_or(job.program.as_os_str()).to_string_lossy().into_owned();
        let mut command = Command::new(&job.program);
        command.env_clear().envs(inherited_variables());
        for name in ["TMPDIR", "TMP", "TEMP"] {
            command.env(name, &self.temp);
        }
        command.args(&job.args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(windows)]
        command.creation_flags(CREATE_NO_WINDOW);
        let mut child = command.spawn().map_err(|cause| {
            tracing::debug!(%cause, name, "a local program could not be started");
            ProgramError(format!("The program “{name}” could not be started. Check that it is installed."))
        })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());

        let work = async {
            // All three at once: a program that fills one pipe while AURA waits on another would hang.
            let write_stdin = async {
                if let Some(mut stdin) = stdin {
                    // Fails when the program ends without reading everything; its exit status counts.
                    let _ = stdin.write_all(&job.stdin).await;
                    let _ = stdin.shutdown().await;
                }
            };
            let (_, stdout, stderr) = tokio::join!(write_stdin, read_all(stdout), read_end(stderr));
            Ok::<_, std::io::Error>((child.wait().await?, stdout?, stderr))
        };
        match tokio::time::timeout(job.limit, work).await {
            Ok(Ok((status, stdout, stderr))) => Ok(JobOutput { success: status.success(), stdout, stderr }),
            Ok(Err(cause)) => {
                tracing::debug!(%cause, name, "the output of a local program could not be read");
                Err(ProgramError(format!("The output of the program “{name}” could not be read.")))
            }
            Err(_) => Err(ProgramError(format!(
                "The program “{name}” took longer than {:.0} s and was stopped.",
                job.limit.as_secs_f32()
            ))),
        }
    }
}

async fn read_all(from: Option<impl AsyncRead + Unpin>) -> std::io::Result<Bytes> {
    let mut all = Vec::new();
    if let Some(from) = from {
        from.take(STDOUT_LIMIT).read_to_end(&mut all).await?;
    }
    Ok(all.into())
}

/// The last [`STDERR_LIMIT`] bytes.
async fn read_end(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let (mut end, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        end.extend_from_slice(&buffer[..n]);
        end.drain(..end.len().saturating_sub(STDERR_LIMIT));
    }
    String::from_utf8_lossy(&end).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn local() -> LocalPrograms {
        LocalPrograms::new(std::env::temp_dir())
    }

    fn shell(script: &str, stdin: Bytes, limit: Duration) -> Job {
        Job {
            program: local().find("sh").expect("every Unix has sh"),
            args: vec!["-c".into(), script.into()],
            stdin,
            limit,
        }
    }

    #[tokio::test]
    async fn stdin_is_written_while_output_is_read() {
        // More than any pipe holds, in both directions.
        let text = Bytes::from(vec![b'a'; 1 << 20]);
        let done = local().run(shell("cat; echo oops >&2", text.clone(), Duration::from_secs(20))).await.unwrap();
        assert!(done.success);
        assert_eq!(done.stdout, text);
        assert_eq!(done.stderr, "oops\n");
    }

    #[tokio::test]
    async fn a_failure_keeps_the_end_of_standard_error() {
        let noise = "i=0; while [ $i -lt 999 ]; do echo line $i >&2; i=$((i+1)); done; exit 3";
        let done = local().run(shell(noise, Bytes::new(), Duration::from_secs(20))).await.unwrap();
        assert!(!done.success);
        assert_eq!(done.stderr.len(), STDERR_LIMIT);
        assert!(done.stderr.ends_with("line 998\n"));
        // A program that does not read its standard input.
        let not_reading =
            local().run(shell("exit 0", vec![b'a'; 1 << 20].into(), Duration::from_secs(20))).await.unwrap();
        assert!(not_reading.success);
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_stopped() {
        let pid_file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("echo $$ > {}; exec sleep 60", pid_file.path().display());
        let begun = Instant::now();
        let error = local().run(shell(&script, Bytes::new(), Duration::from_millis(300))).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(error.0.contains("“sh” took longer"), "{error}");
        let pid = std::fs::read_to_string(pid_file.path()).unwrap();
        let process = PathBuf::from("/proc").join(pid.trim()).join("cmdline");
        for _ in 0..100 {
            // It is gone, or a zombie that was not reaped yet.
            if std::fs::read(&process).map_or(true, |line| line.is_empty()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("process {pid} still runs");
    }

    #[tokio::test]
    async fn a_program_inherits_only_what_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        let temp = folder.path().join("tmp");
        let programs = LocalPrograms::new(temp.clone());
        let done = programs.run(shell("env", Bytes::new(), Duration::from_secs(20))).await.unwrap();
        let names: Vec<String> = String::from_utf8_lossy(&done.stdout)
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0.to_owned()))
            .collect();
        // cargo sets these for every test.
        assert!(
            std::env::var_os("CARGO_MANIFEST_DIR").is_some() && !names.iter().any(|name| name.starts_with("CARGO"))
        );
        assert!(names.iter().any(|name| name == "PATH"), "{names:?}");
        assert!(String::from_utf8_lossy(&done.stdout).contains(&format!("TMPDIR={}\n", temp.display())));
    }

    #[test]
    fn without_a_data_folder_programs_still_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let temp = LocalPrograms::new(file.join("tmp")).temp_folder();
        assert!(temp.is_dir() && !temp.starts_with(folder.path()));
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_reported() {
        assert_eq!(local().find("aura-no-such-program"), None);
        let job = Job {
            program: "/aura-no-such-program".into(),
            args: vec![],
            stdin: Bytes::new(),
            limit: Duration::from_secs(1),
        };
        assert!(local().run(job).await.unwrap_err().0.contains("could not be started"));
    }
}
