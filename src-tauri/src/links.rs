//! Links of answers, which the system's own browser or mail program opens: AURA's windows show no foreign page.

use aura_core::error::{Error, Result};

/// The longest address, in bytes.
const MAX_BYTES: usize = 4_096;

/// The address as it is handed to the system: of a web page or for mail, and nothing else, since what a model writes decides it.
///
/// # Errors
/// When it is another kind of address, too long, or not one at all.
fn check(address: &str) -> Result<String> {
    let invalid = || Error::invalid("Only links to web pages and mail addresses can be opened.");
    if address.len() > MAX_BYTES {
        return Err(invalid());
    }
    // As the parser writes it: with its special characters escaped.
    let url = url::Url::parse(address).map_err(|_| invalid())?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url.into()),
        "mailto" => Ok(url.into()),
        _ => Err(invalid()),
    }
}

/// Opens an address in the program that the system has for it, and leaves that program alone afterwards.
///
/// # Errors
/// When the address is not of a web page or for mail, or no program could be started.
pub(crate) fn open(address: &str) -> Result<()> {
    let address = check(address)?;
    aura_platform::open_with_system(&address).map_err(|cause| {
        Error::invalid("No program to open this link was found. Copy its address instead.").because(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_pages_and_mail_addresses_are_opened() {
        for (address, handed_over) in [
            ("https://example.org/a b", "https://example.org/a%20b"),
            ("http://example.org", "http://example.org/"),
            ("mailto:ada@example.org", "mailto:ada@example.org"),
            ("HTTPS://EXAMPLE.org/$(x)`y`", "https://example.org/$(x)%60y%60"),
        ] {
            assert_eq!(check(address).unwrap(), handed_over);
        }
        let long = format!("https://example.org/{}", "a".repeat(MAX_BYTES));
        for address in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "/bin/sh",
            "-e",
            "",
            "smb://host/share",
            "https://",
            long.as_str(),
        ] {
            assert!(check(address).is_err(), "{address}");
        }
    }
}
