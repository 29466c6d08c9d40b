//! Reads the rows of a SQLite file from its pages, without the trees above them: what is left of a damaged database.
//!
//! Every leaf page of a table tells its own rows, so a damaged page costs its own rows only. Committed pages of the write-ahead log
//! replace those of the file. The format: <https://www.sqlite.org/fileformat.html>.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The page size when the header does not tell: SQLite's default, which AURA uses.
const PAGE_SIZE: usize = 4_096;
/// Larger rows are taken for damage.
const MAX_PAYLOAD: usize = 64 << 20;
/// The first byte of a leaf page of a table.
const TABLE_LEAF: u8 = 0x0d;
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: usize = 24;

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Text(Vec<u8>),
    /// NULL, a number with a fraction, or bytes: nothing that AURA stores.
    Other,
}

/// A row of any table.
#[derive(Debug, PartialEq)]
pub(super) struct Record {
    pub(super) rowid: i64,
    /// The columns; fewer than the row had when its end is unreadable.
    pub(super) columns: Vec<Value>,
}

/// The pages of a database and of its log.
pub(super) struct Pages {
    file: File,
    size: usize,
    count: u32,
    log: Option<File>,
    /// Where the newest committed version of a page is in the log.
    logged: HashMap<u32, u64>,
}

impl Pages {
    /// Opens a database file and, if there is one, its log.
    ///
    /// # Errors
    /// When the database file cannot be read.
    pub(super) fn open(path: &Path, log: &Path) -> std::io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut header = [0; 18];
        let size = match read_at(&mut file, 0, &mut header) {
            Ok(()) => match usize::from(u16::from_be_bytes([header[16], header[17]])) {
                size if size >= 512 && size.is_power_of_two() => size,
                1 => 65_536,
                _ => PAGE_SIZE,
            },
            Err(_) => PAGE_SIZE,
        };
        let count = u32::try_from(length.div_ceil(size as u64)).unwrap_or(u32::MAX);
        let mut pages = Self { file, size, count, log: None, logged: HashMap::new() };
        if let Ok(mut log) = File::open(log) {
            // What could be read of the log counts.
            let _ = pages.read_log(&mut log);
            pages.log = Some(log);
        }
        Ok(pages)
    }

    /// Finds the newest committed version of each page in the log.
    fn read_log(&mut self, log: &mut File) -> std::io::Result<()> {
        let mut header = [0; WAL_HEADER as usize];
        read_at(log, 0, &mut header)?;
        let big_endian = match u32_at(&header, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return Ok(()),
        };
        let mut sum = checksum(&header[..24], (0, 0), big_endian);
        if sum != (u32_at(&header, 24), u32_at(&header, 28)) || u32_at(&header, 8) as usize != self.size {
            return Ok(());
        }
        let mut frame = vec![0; FRAME_HEADER + self.size];
        let mut pending = HashMap::new();
        for offset in (WAL_HEADER..).step_by(frame.len()) {
            read_at(log, offset, &mut frame)?;
            sum = checksum(&frame[..8], sum, big_endian);
            sum = checksum(&frame[FRAME_HEADER..], sum, big_endian);
            if frame[8..16] != header[16..24] || sum != (u32_at(&frame, 16), u32_at(&frame, 20)) {
                break;
            }
            pending.insert(u32_at(&frame, 0), offset + FRAME_HEADER as u64);
            // The last frame of a transaction holds the size of the database.
            if u32_at(&frame, 4) > 0 {
                self.count = self.count.max(u32_at(&frame, 4));
                self.logged.extend(pending.drain());
            }
        }
        Ok(())
    }

    fn page(&mut self, number: u32) -> Option<Vec<u8>> {
        if number == 0 || number > self.count {
            return None;
        }
        let mut page = vec![0; self.size];
        match (self.logged.get(&number), &mut self.log) {
            (Some(offset), Some(log)) => read_at(log, *offset, &mut page).ok()?,
            _ => read_at(&mut self.file, u64::from(number - 1) * self.size as u64, &mut page).ok()?,
        }
        Some(page)
    }

    /// Passes on every row that can be read, until `row` fails.
    pub(super) fn each_record<E>(&mut self, mut row: impl FnMut(Record) -> Result<(), E>) -> Result<(), E> {
        for number in 1..=self.count {
            let Some(page) = self.page(number) else { continue };
            // The first page begins with the header of the file.
            let start = if number == 1 { 100 } else { 0 };
            if page[start] != TABLE_LEAF {
                continue;
            }
            let cells = usize::from(u16::from_be_bytes([page[start + 3], page[start + 4]]));
            for pointer in page[start + 8..].chunks_exact(2).take(cells) {
                let offset = usize::from(u16::from_be_bytes([pointer[0], pointer[1]]));
                if let Some(record) = self.cell(&page, offset) {
                    row(record)?;
                }
            }
        }
        Ok(())
    }

    fn cell(&mut self, page: &[u8], offset: usize) -> Option<Record> {
        let mut rest = page.get(offset..)?;
        let length = usize::try_from(varint(&mut rest)?).ok().filter(|length| *length <= MAX_PAYLOAD)?;
        let rowid = varint(&mut rest)?;
        let payload = self.payload(rest, length)?;
        Some(Record { rowid, columns: columns(&payload)? })
    }

    /// The whole content of a row, whose end may be on overflow pages. Shorter when one of them cannot be read.
    fn payload(&mut self, cell: &[u8], length: usize) -> Option<Vec<u8>> {
        let usable = self.size;
        if length <= usable - 35 {
            return cell.get(..length).map(<[u8]>::to_vec);
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let fitting = least + (length - least) % (usable - 4);
        let local = if fitting <= usable - 35 { fitting } else { least };
        let mut payload = cell.get(..local)?.to_vec();
        let mut next = u32_at(cell.get(local..local + 4)?, 0);
        while payload.len() < length {
            let Some(page) = self.page(next) else { break };
            next = u32_at(&page, 0);
            let part = (length - payload.len()).min(usable - 4);
            payload.extend_from_slice(&page[4..4 + part]);
        }
        Some(payload)
    }
}

fn read_at(file: &mut File, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

/// Reads four bytes, of which the caller knows that they exist.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The checksum of the log over bytes whose number is a multiple of 8.
fn checksum(bytes: &[u8], (mut a, mut b): (u32, u32), big_endian: bool) -> (u32, u32) {
    let word = |four: [u8; 4]| if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(word([pair[0], pair[1], pair[2], pair[3]])).wrapping_add(b);
        b = b.wrapping_add(word([pair[4], pair[5], pair[6], pair[7]])).wrapping_add(a);
    }
    (a, b)
}

/// A number of one to nine bytes, taken from the front.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut number: u64 = 0;
    for length in 1..=9 {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        if length == 9 {
            number = number << 8 | u64::from(*first);
            break;
        }
        number = number << 7 | u64::from(first & 0x7f);
        if first & 0x80 == 0 {
            break;
        }
    }
    Some(number.cast_signed())
}

/// The columns of a row, up to the first that is not whole.
fn columns(payload: &[u8]) -> Option<Vec<Value>> {
    let mut rest = payload;
    let header = usize::try_from(varint(&mut rest)?).ok()?;
    let mut types = payload.get(payload.len() - rest.len()..header)?;
    let mut body = payload.get(header..)?;
    let mut columns = Vec::new();
    while !types.is_empty() {
        let kind = varint(&mut types)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            12.. => (kind - 12) / 2,
            _ => return None,
        };
        let Some((bytes, after)) = usize::try_from(length).ok().and_then(|length| body.split_at_checked(length)) else {
            break;
        };
        body = after;
        columns.push(match kind {
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            1..=6 => Value::Integer(integer(bytes)),
            13.. if kind % 2 == 1 => Value::Text(bytes.to_vec()),
            _ => Value::Other,
        });
    }
    Some(columns)
}

/// A big-endian number with a sign.
fn integer(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|first| first & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(start, |number, byte| number << 8 | i64::from(*byte))
}
