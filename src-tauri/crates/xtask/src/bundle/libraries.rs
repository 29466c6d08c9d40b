//! Which packages of the system a package depends on, read out of its programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{self, Result};

/// Debian's packages with the libraries that the programs are linked with, and their oldest versions that will do.
///
/// # Errors
/// When `dpkg-shlibdeps` cannot be run, or does not know a library.
pub(super) fn of_debian(programs: &[PathBuf], work: &Path) -> Result<Vec<String>> {
    // The tool reads the package's own control file.
    let control = work.join("debian/control");
    fs::create_dir_all(work.join("debian")).map_err(|cause| format!("{}: {cause}", work.display()))?;
    fs::write(&control, "Source: aura\n\nPackage: aura\nArchitecture: any\n")
        .map_err(|cause| format!("{}: {cause}", control.display()))?;
    let mut tool = program::command("dpkg-shlibdeps");
    let found = program::output(tool.current_dir(work).arg("-O").args(programs))?;
    let names = found.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    let names = names.ok_or_else(|| format!("dpkg-shlibdeps printed no dependencies: {found}"))?;
    Ok(names.split(", ").map(str::to_owned).collect())
}

/// The libraries that the programs are linked with, and the versions of their symbols, in the words in which RPM's packages provide them.
///
/// # Errors
/// When `objdump` cannot be run.
pub(super) fn of_rpm(programs: &[PathBuf]) -> Result<Vec<String>> {
    let mut needed = BTreeSet::new();
    for program in programs {
        let headers = program::output(program::command("objdump").arg("-p").arg(program))?;
        needed.extend(needed_by(&headers));
    }
    // Libraries of the package itself.
    let own: Vec<String> = programs.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    needed.retain(|name| !own.iter().any(|own| name.starts_with(own.as_str())));
    Ok(needed.into_iter().collect())
}

/// The libraries and versions in the output of `objdump -p`.
fn needed_by(headers: &str) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    let mut library = None;
    for line in headers.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("NEEDED") {
            let name = name.trim();
            // The loader is part of the C library, which is needed anyway.
            if !name.starts_with("ld-linux") {
                needed.insert(format!("{name}()(64bit)"));
            }
        } else if let Some(name) = line.strip_prefix("required from ") {
            let name = name.trim_end_matches(':');
            library = (!name.starts_with("ld-linux")).then(|| name.to_owned());
        } else if let (Some(library), true) = (&library, line.starts_with("0x"))
            && let Some(version) = line.split_whitespace().nth(3)
        {
            needed.insert(format!("{library}({version})(64bit)"));
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_their_versions_are_read() {
        let headers = "
Dynamic Section:
  NEEDED               libasound.so.2
  NEEDED               libc.so.6
  NEEDED               ld-linux-x86-64.so.2
  INIT                 0x0000000000001000

Version References:
  required from libasound.so.2:
    0x0a5d8b30 0x00 11 ALSA_0.9
  required from ld-linux-x86-64.so.2:
    0x0d696913 0x00 02 GLIBC_2.3
  required from libc.so.6:
    0x069691b4 0x00 03 GLIBC_2.34
";
        let needed: Vec<String> = needed_by(headers).into_iter().collect();
        let expected = [
            "libasound.so.2()(64bit)",
            "libasound.so.2(ALSA_0.9)(64bit)",
            "libc.so.6()(64bit)",
            "libc.so.6(GLIBC_2.34)(64bit)",
        ];
        assert_eq!(needed, expected);
    }
}
