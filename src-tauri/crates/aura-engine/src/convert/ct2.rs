//! Reads `model.bin` of CTranslate2: a version, the name of the architecture, and named arrays of numbers.

use std::collections::HashMap;
use std::io;

/// The layout's version, the sixth, which came in 2021. Earlier ones have other type codes.
const VERSION: u32 = 6;

/// An array of numbers.
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f32>,
}

struct Stored {
    shape: Vec<usize>,
    kind: u8,
    bytes: std::ops::Range<usize>,
}

/// A model file that has been read.
pub(super) struct Model {
    bytes: Vec<u8>,
    arrays: HashMap<String, Stored>,
}

pub(super) fn damaged(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("model.bin is damaged: {what}"))
}

/// Where the reader is in the file.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let taken = &self.bytes[self.at..end.ok_or_else(|| damaged("it ends too early"))?];
        self.at += length;
        Ok(taken)
    }

    fn number(&mut self, length: usize) -> io::Result<u32> {
        Ok(self.take(length)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// A name: its length with the zero at its end, and that.
    fn name(&mut self) -> io::Result<String> {
        let length = self.number(2)? as usize;
        let name = std::str::from_utf8(self.take(length)?).map_err(damaged)?;
        Ok(name.trim_end_matches('\0').to_owned())
    }
}

/// The bytes of one number of a type.
fn width(kind: u8) -> io::Result<usize> {
    match kind {
        1 => Ok(1),
        0 | 3 => Ok(4),
        2 | 4 => Ok(2),
        other => Err(damaged(format!("it has numbers of the unknown type {other}"))),
    }
}

impl Model {
    /// # Errors
    /// When this is no such file of a Whisper model, or it is cut short.
    pub(super) fn read(bytes: Vec<u8>) -> io::Result<Self> {
        let mut reader = Reader { bytes: &bytes, at: 0 };
        let version = reader.number(4)?;
        if version != VERSION {
            return Err(damaged(format!("its version is {version}, not {VERSION}")));
        }
        let architecture = reader.name()?;
        if architecture != "WhisperSpec" {
            return Err(damaged(format!("it is a {architecture}, not a Whisper model")));
        }
        let _revision = reader.number(4)?;
        let mut arrays = HashMap::new();
        for _ in 0..reader.number(4)? {
            let name = reader.name()?;
            let rank = reader.number(1)?;
            let shape = (0..rank).map(|_| Ok(reader.number(4)? as usize)).collect::<io::Result<Vec<_>>>()?;
            let kind = reader.take(1)?[0];
            let length = reader.number(4)? as usize;
            if shape.iter().product::<usize>() * width(kind)? != length {
                return Err(damaged(format!("{name} has another size than its shape says")));
            }
            let start = reader.at;
            reader.take(length)?;
            arrays.insert(name, Stored { shape, kind, bytes: start..start + length });
        }
        for _ in 0..reader.number(4)? {
            let (alias, name) = (reader.name()?, reader.name()?);
            if let Some(Stored { shape, kind, bytes }) = arrays.get(&name) {
                let same = Stored { shape: shape.clone(), kind: *kind, bytes: bytes.clone() };
                arrays.insert(alias, same);
            }
        }
        Ok(Self { bytes, arrays })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// An array as 32-bit numbers, whatever it is stored as.
    pub(super) fn array(&self, name: &str) -> io::Result<Array> {
        let stored = self.arrays.get(name).ok_or_else(|| damaged(format!("it has no {name}")))?;
        let bytes = &self.bytes[stored.bytes.clone()];
        let pairs = || bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let fours = || bytes.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]]);
        let mut data: Vec<f32> = match stored.kind {
            0 => fours().map(f32::from_le_bytes).collect(),
            1 => bytes.iter().map(|byte| f32::from(i8::from_le_bytes([*byte]))).collect(),
            2 => pairs().map(|pair| f32::from(pair as i16)).collect(),
            3 => fours().map(|four| i32::from_le_bytes(four) as f32).collect(),
            _ => pairs().map(from_half).collect(),
        };
        // 8-bit weights have one scale per row.
        if stored.kind == 1 && !stored.shape.is_empty() {
            let scales = self.array(&format!("{name}_scale"))?.data;
            let row = data.len() / scales.len().max(1);
            data.chunks_mut(row.max(1)).zip(&scales).for_each(|(row, scale)| row.iter_mut().for_each(|x| *x /= scale));
        }
        Ok(Array { shape: stored.shape.clone(), data })
    }

    /// A matrix: its rows, its columns and its numbers, row after row.
    pub(super) fn matrix(&self, name: &str) -> io::Result<(usize, usize, Vec<f32>)> {
        let Array { shape, data } = self.array(name)?;
        let [rows, columns] = shape[..] else { return Err(damaged(format!("{name} is no matrix"))) };
        Ok((rows, columns, data))
    }

    /// The number of attention heads of a part.
    pub(super) fn heads(&self, part: &str) -> io::Result<usize> {
        let heads = self.array(&format!("{part}/num_heads"))?.data.first().map_or(0, |heads| *heads as usize);
        if heads == 0 { Err(damaged("it has no attention heads")) } else { Ok(heads) }
    }

    /// The number of layers under `part`.
    pub(super) fn layers(&self, part: &str) -> usize {
        (0_usize..).take_while(|layer| self.has(&format!("{part}/layer_{layer}/ffn/linear_0/weight"))).count()
    }
}

/// A 16-bit floating-point number as a 32-bit one.
fn from_half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10 & 0x1f);
    let fraction = u32::from(bits & 0x3ff);
    match exponent {
        0 => f32::from_bits(sign | 1.0_f32.to_bits()) * (fraction as f32 * 2.0_f32.powi(-24)),
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with an array of each type, and an alias.
    fn file() -> Vec<u8> {
        let mut bytes = Vec::new();
        let name = |bytes: &mut Vec<u8>, name: &str| {
            bytes.extend(u16::try_from(name.len() + 1).unwrap().to_le_bytes());
            bytes.extend(name.bytes().chain([0]));
        };
        let array = |bytes: &mut Vec<u8>, title: &str, shape: &[u32], kind: u8, data: &[u8]| {
            name(bytes, title);
            bytes.push(u8::try_from(shape.len()).unwrap());
            shape.iter().for_each(|side| bytes.extend(side.to_le_bytes()));
            bytes.push(kind);
            bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            bytes.extend(data);
        };
        bytes.extend(6_u32.to_le_bytes());
        bytes.extend([12, 0]);
        bytes.extend(b"WhisperSpec\0");
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(5_u32.to_le_bytes());
        array(&mut bytes, "whole", &[2], 0, &[1.5_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()].concat());
        // 1, -2, the smallest number and infinity.
        array(&mut bytes, "half", &[4], 4, &[0, 0x3c, 0, 0xc0, 1, 0, 0, 0x7c]);
        array(&mut bytes, "byte", &[2, 2], 1, &[127, 0x81, 10, 0]);
        array(&mut bytes, "byte_scale", &[2], 0, &[127.0_f32.to_le_bytes(), 10.0_f32.to_le_bytes()].concat());
        array(&mut bytes, "part/num_heads", &[], 2, &[8, 0]);
        bytes.extend(1_u32.to_le_bytes());
        for title in ["alias", "half"] {
            bytes.extend(u16::try_from(title.len() + 1).unwrap().to_le_bytes());
            bytes.extend(title.bytes().chain([0]));
        }
        bytes
    }

    #[test]
    fn numbers_of_each_type_are_read() {
        let model = Model::read(file()).unwrap();
        assert_eq!(model.array("whole").unwrap().data, [1.5, -2.0]);
        assert_eq!(model.array("half").unwrap().data, [1.0, -2.0, 2.0_f32.powi(-24), f32::INFINITY]);
        assert_eq!(model.array("alias").unwrap().data, model.array("half").unwrap().data);
        assert_eq!(model.matrix("byte").unwrap(), (2, 2, vec![1.0, -1.0, 1.0, 0.0]));
        assert_eq!(model.heads("part").unwrap(), 8);
        assert!(model.matrix("whole").is_err() && model.array("none").is_err() && model.heads("whole/none").is_err());
    }

    #[test]
    fn a_file_that_is_cut_or_of_another_kind_is_an_error() {
        let file = file();
        for cut in 0..file.len() {
            assert!(Model::read(file[..cut].to_vec()).is_err(), "{cut}");
        }
        let mut older = file.clone();
        older[0] = 5;
        assert!(Model::read(older).is_err_and(|error| error.to_string().contains("version")));
        let mut other = file;
        other[6..13].copy_from_slice(b"Another");
        assert!(Model::read(other).is_err_and(|error| error.to_string().contains("Another")));
    }
}
