//! What the server remembers of a program's volume: PulseAudio's module `stream-restore`, whose messages the library does not know.
//!
//! A stream that ends while it is lowered leaves its low volume to the program's next one, unless this is corrected.

use std::ffi::{CStr, CString};

/// The command by which a message reaches a module.
const EXTENSION: u32 = 87;
/// The command of an answer.
const REPLY: u32 = 2;
const MODULE: &CStr = c"module-stream-restore";
/// The module's commands, and how it treats an entry that exists.
const READ: u32 = 1;
const WRITE: u32 = 2;
const REPLACE: u32 = 2;

/// The entry of a program or a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remembered {
    /// The stream's property `module-stream-restore.id`.
    pub(super) name: CString,
    /// The position of each channel.
    pub(super) channels: Vec<u8>,
    /// The volume of each channel; none: it is not remembered.
    pub(super) volume: Vec<u32>,
    device: Option<CString>,
    is_muted: bool,
}

/// The request for all entries.
pub(super) fn read_request(number: u32) -> Vec<u8> {
    request(number, READ)
}

/// The request to replace an entry, also for streams that run.
pub(super) fn write_request(number: u32, entry: &Remembered) -> Vec<u8> {
    let mut message = request(number, WRITE);
    put_number(&mut message, REPLACE);
    message.push(b'1');
    put_text(&mut message, Some(&entry.name));
    message.extend([b'm', entry.channels.len() as u8]);
    message.extend(&entry.channels);
    message.extend([b'v', entry.volume.len() as u8]);
    message.extend(entry.volume.iter().flat_map(|raw| raw.to_be_bytes()));
    put_text(&mut message, entry.device.as_deref());
    message.push(if entry.is_muted { b'1' } else { b'0' });
    message
}

fn request(number: u32, command: u32) -> Vec<u8> {
    let mut message = Vec::new();
    put_number(&mut message, EXTENSION);
    put_number(&mut message, number);
    // The module is named, not numbered.
    put_number(&mut message, u32::MAX);
    put_text(&mut message, Some(MODULE));
    put_number(&mut message, command);
    message
}

fn put_number(message: &mut Vec<u8>, number: u32) {
    message.push(b'L');
    message.extend(number.to_be_bytes());
}

fn put_text(message: &mut Vec<u8>, text: Option<&CStr>) {
    match text {
        Some(text) => {
            message.push(b't');
            message.extend(text.to_bytes_with_nul());
        }
        None => message.push(b'N'),
    }
}

/// The entries of an answer to [`read_request`]; `None` when it is an error or has another form.
pub(super) fn parse_reply(reply: &[u8]) -> Option<Vec<Remembered>> {
    let mut rest = Bytes(reply);
    if rest.number()? != REPLY {
        return None;
    }
    rest.number()?;
    let mut entries = Vec::new();
    while !rest.0.is_empty() {
        let name = rest.text()??;
        let channels = rest.list(b'm', 1)?.to_vec();
        let volume =
            rest.list(b'v', 4)?.chunks_exact(4).filter_map(|raw| Some(u32::from_be_bytes(raw.try_into().ok()?)));
        let volume = volume.collect();
        let device = rest.text()?;
        let is_muted = rest.take(1)?[0] == b'1';
        entries.push(Remembered { name, channels, volume, device, is_muted });
    }
    Some(entries)
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn tag(&mut self, expected: u8) -> Option<()> {
        (self.take(1)?[0] == expected).then_some(())
    }

    fn number(&mut self) -> Option<u32> {
        self.tag(b'L')?;
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A text, which may be absent.
    fn text(&mut self) -> Option<Option<CString>> {
        match self.take(1)?[0] {
            b'N' => Some(None),
            b't' => {
                let text = CStr::from_bytes_until_nul(self.0).ok()?;
                self.take(text.to_bytes_with_nul().len())?;
                Some(Some(text.to_owned()))
            }
            _ => None,
        }
    }

    /// A list whose elements have this size.
    fn list(&mut self, tag: u8, size: usize) -> Option<&'a [u8]> {
        self.tag(tag)?;
        let count = self.take(1)?[0];
        self.take(usize::from(count) * size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_they_are_written() {
        let entry = |name: &CStr, volume: &[u32], device: Option<&CStr>| Remembered {
            name: name.to_owned(),
            channels: vec![1; volume.len()],
            volume: volume.to_vec(),
            device: device.map(CStr::to_owned),
            is_muted: device.is_none(),
        };
        // An entry that holds the device alone has no channels.
        let entries = [entry(c"music", &[65_536, 1], None), entry(c"device alone", &[], Some(c"speaker"))];
        let mut reply = Vec::new();
        put_number(&mut reply, REPLY);
        put_number(&mut reply, 7);
        let header = request(7, WRITE).len() + 6;
        for entry in &entries {
            reply.extend(&write_request(7, entry)[header..]);
        }
        assert_eq!(parse_reply(&reply).unwrap(), entries);
        for cut in 0..reply.len() {
            let parsed = parse_reply(&reply[..cut]);
            assert!(parsed.is_none_or(|parsed| parsed.len() < entries.len()), "cut at {cut}");
        }
        let mut error = reply;
        error[4] = 0;
        assert_eq!(parse_reply(&error), None);
    }
}
