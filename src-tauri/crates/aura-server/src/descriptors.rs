//! The limit of open files of this process, which also bounds its connections.

/// Enough for any use of this server. A limit far above it would slow down programs that close every possible descriptor before they start
/// another.
#[cfg(unix)]
const ENOUGH: u64 = 65_536;
/// What is left for the database, the log, sound and the connections to providers.
const RESERVED: u64 = 128;
/// The limit where the operating system has none.
const UNLIMITED: u64 = 1 << 20;

/// Raises the limit of open files as far as the operating system permits. Many systems start a program with 1,024 for the sake of very old
/// ones.
pub(crate) fn raise_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
        if limit.current.is_some_and(|current| current < wanted) {
            let raised = Rlimit { current: Some(wanted), ..limit };
            if let Err(cause) = setrlimit(Resource::Nofile, raised) {
                tracing::warn!(%cause, wanted, "the limit of open files could not be raised");
            }
        }
    }
}

/// The number of connections that the limit of open files has room for, at most `most`: each may need a second one, to a provider.
pub(crate) fn connections(most: usize) -> usize {
    room_for(limit(), most)
}

/// The limit of open files.
fn limit() -> u64 {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(UNLIMITED);
    #[cfg(not(unix))]
    UNLIMITED
}

fn room_for(limit: u64, most: usize) -> usize {
    let pairs = limit.saturating_sub(RESERVED) / 2;
    usize::try_from(pairs).unwrap_or(most).clamp(16, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_everything_else() {
        assert_eq!(room_for(UNLIMITED, 1_024), 1_024);
        assert_eq!(room_for(1_024, 1_024), 448);
        assert_eq!(room_for(256, 1_024), 64);
        assert_eq!(room_for(20, 1_024), 16, "a server without connections would be of no use");
    }

    #[cfg(unix)]
    #[test]
    fn the_limit_is_raised_to_the_permitted_one() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::Nofile);
        // Enough for the tests that run beside this one.
        setrlimit(Resource::Nofile, Rlimit { current: Some(512), ..before }).unwrap();
        raise_limit();
        let after = getrlimit(Resource::Nofile);
        assert_eq!(after.current, Some(before.maximum.unwrap_or(ENOUGH).min(ENOUGH)));
        assert_eq!(after.maximum, before.maximum);
    }
}
