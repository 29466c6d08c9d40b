//! The process itself: which files it makes readable, and where its API keys may be found. Every program of AURA calls
//! [`prepare_process`] before anything else.

use crate::environment::environment;

/// Keeps what this process holds to the current user: new files can be read by nobody else, a crash writes no copy of the memory to the disk,
/// and API keys are moved out of the environment variables, which every program that is started would inherit.
///
/// Call it first thing in `main`: it changes environment variables, so there must be no other thread.
pub fn prepare_process() {
    #[cfg(unix)]
    {
        use rustix::fs::Mode;
        use rustix::process::{Resource, Rlimit, setrlimit, umask};
        umask(Mode::RWXG | Mode::RWXO);
        // Lowering a limit is always allowed.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    // Copies the variables, so that AURA itself still has the keys.
    let _ = environment();
    remove_keys();
}

/// Forbids other programs of this user to read the memory and the environment of this process, and the kernel to write a core dump.
/// Only in release builds, because it also keeps debuggers out.
///
/// The desktop's portal reads `/proc` of its callers, so a program that takes screenshots through it must not call this.
pub fn forbid_inspection() {
    #[cfg(all(target_os = "linux", not(debug_assertions)))]
    set_undumpable();
}

#[cfg(all(target_os = "linux", any(test, not(debug_assertions))))]
fn set_undumpable() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // Fails only for values that do not exist.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Whether a variable holds an API key: all that AURA reads, and those of other programs, end alike.
fn holds_key(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.to_ascii_uppercase().ends_with("_API_KEY"))
}

/// Overwrites and removes every API key among the environment variables of this process.
fn remove_keys() {
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).filter(|name| holds_key(name)).collect();
    for name in names {
        // The kernel shows the variables with which a program was started in /proc/PID/environ, also after they were removed.
        #[cfg(unix)]
        overwrite(&name);
        // SAFETY: this is the only thread, as `prepare_process` demands.
        #[expect(unsafe_code, reason = "remove_var is unsafe because of other threads; there are none yet")]
        unsafe {
            std::env::remove_var(&name);
        }
    }
}

#[cfg(unix)]
fn overwrite(name: &std::ffi::OsStr) {
    use std::os::unix::ffi::OsStrExt;
    let Ok(name) = std::ffi::CString::new(name.as_bytes()) else { return };
    // SAFETY: `getenv` returns null or a string of the environment block, which is writable memory of this process. Exactly its bytes before
    // the final zero are written, and no other thread can read or replace it meanwhile, because this is the only one.
    #[expect(unsafe_code, reason = "no safe function writes to the environment block")]
    unsafe {
        let value = libc::getenv(name.as_ptr());
        if !value.is_null() {
            std::ptr::write_bytes(value.cast::<u8>(), 0, libc::strlen(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_with_api_keys_are_recognised() {
        for name in ["GROQ_API_KEY", "GEMINI_API_KEY", "MY_SERVER_API_KEY", "openai_api_key"] {
            assert!(holds_key(name.as_ref()), "{name}");
        }
        for name in ["PATH", "API_KEY_FILE", "HOME"] {
            assert!(!holds_key(name.as_ref()), "{name}");
        }
    }

    /// In this process, because nothing else here needs to be read through `/proc`.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_forbids_inspection_is_not_dumpable() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        set_undumpable();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
