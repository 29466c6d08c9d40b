//! Programs on this computer, for the `offline` provider.

use std::path::PathBuf;
use std::process::Stdio;

use async_trait::async_trait;
use aura_core::error::{Code, Error, Result};
use aura_core::ports::{Job, JobOutput, Programs};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// A program that writes more than this is out of order; a minute of speech is under 6 MB.
const STDOUT_LIMIT: u64 = 256 * 1024 * 1024;

/// How much of standard error is kept: its end says what went wrong.
const STDERR_KEPT: usize = 2048;

/// Programs found on `PATH`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalPrograms;

#[async_trait]
impl Programs for LocalPrograms {
    fn find(&self, name: &str) -> Option<PathBuf> {
        which::which(name).ok()
    }

    async fn run(&self, job: Job) -> Result<JobOutput> {
        let name = job.program.file_name().unwrap_or(job.program.as_os_str()).to_string_lossy().into_owned();
        let mut command = Command::new(&job.program);
        command.args(&job.args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|cause| {
            Error::new(
                Code::NotFound,
                format!("The program “{name}” could not be started. Check that it is installed."),
            )
            .because(cause)
        })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());

        let work = async {
            // All at once: a program that fills one pipe while we wait on another would never end.
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // A program may end without reading everything; its status tells.
                    let _ = stdin.write_all(&job.stdin).await;
                    let _ = stdin.shutdown().await;
                }
            };
            let (_, stdout, stderr) = tokio::join!(feed, read_all(stdout), read_end(stderr));
            Ok::<_, std::io::Error>((child.wait().await?, stdout?, stderr))
        };
        match tokio::time::timeout(job.limit, work).await {
            Ok(Ok((status, stdout, stderr))) => Ok(JobOutput { success: status.success(), stdout, stderr }),
            Ok(Err(cause)) => {
                Err(Error::new(Code::Internal, format!("The program “{name}” could not be read from.")).because(cause))
            }
            Err(_) => Err(Error::new(
                Code::Internal,
                format!("The program “{name}” took longer than {:.0} s and was ended.", job.limit.as_secs_f32()),
            )),
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

async fn read_end(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let (mut end, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = from.read(&mut piece).await {
        end.extend_from_slice(&piece[..n]);
        end.drain(..end.len().saturating_sub(STDERR_KEPT));
    }
    String::from_utf8_lossy(&end).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn shell(script: &str, stdin: Bytes, limit: Duration) -> Job {
        Job {
            program: LocalPrograms.find("sh").expect("every Unix has sh"),
            args: vec!["-c".into(), script.into()],
            stdin,
            limit,
        }
    }

    #[tokio::test]
    async fn feeds_and_reads_at_once() {
        // Larger than any pipe, both ways.
        let text = Bytes::from(vec![b'a'; 1 << 20]);
        let done = LocalPrograms.run(shell("cat; echo oops >&2", text.clone(), Duration::from_secs(20))).await.unwrap();
        assert!(done.success);
        assert_eq!(done.stdout, text);
        assert_eq!(done.stderr, "oops\n");
    }

    #[tokio::test]
    async fn tells_failure_and_keeps_the_end_of_the_noise() {
        let noise = "i=0; while [ $i -lt 999 ]; do echo line $i >&2; i=$((i+1)); done; exit 3";
        let done = LocalPrograms.run(shell(noise, Bytes::new(), Duration::from_secs(20))).await.unwrap();
        assert!(!done.success);
        assert_eq!(done.stderr.len(), STDERR_KEPT);
        assert!(done.stderr.ends_with("line 998\n"));
        // Nobody reads what is fed.
        let deaf =
            LocalPrograms.run(shell("exit 0", vec![b'a'; 1 << 20].into(), Duration::from_secs(20))).await.unwrap();
        assert!(deaf.success);
    }

    #[tokio::test]
    async fn ends_what_takes_too_long() {
        let pid_file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("echo $$ > {}; exec sleep 60", pid_file.path().display());
        let begun = Instant::now();
        let error = LocalPrograms.run(shell(&script, Bytes::new(), Duration::from_millis(300))).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(error.message.contains("“sh” took longer"), "{}", error.message);
        let pid = std::fs::read_to_string(pid_file.path()).unwrap();
        let process = PathBuf::from("/proc").join(pid.trim()).join("cmdline");
        for _ in 0..100 {
            // Gone, or a zombie that waits to be reaped.
            if std::fs::read(&process).map_or(true, |line| line.is_empty()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("process {pid} still runs");
    }

    #[tokio::test]
    async fn says_when_there_is_no_such_program() {
        assert_eq!(LocalPrograms.find("aura-no-such-program"), None);
        let job = Job {
            program: "/aura-no-such-program".into(),
            args: vec![],
            stdin: Bytes::new(),
            limit: Duration::from_secs(1),
        };
        assert_eq!(LocalPrograms.run(job).await.unwrap_err().code, Code::NotFound);
    }
}
