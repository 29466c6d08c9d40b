//! The history on failing disks, in damaged files, with other processes, and after deletion.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod calls;
mod common;
mod company;
mod damage;
mod deletion;
mod disk_faults;
mod old_versions;
mod sessions;
mod summaries;
mod vfs;
