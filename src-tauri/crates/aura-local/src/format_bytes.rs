//! Numbers of bytes for users.

/// A number of bytes for users, such as `1.2 GB`.
pub fn format_bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_unit_that_fits() {
        let of = |bytes| format_bytes(bytes);
        assert_eq!((of(0), of(1), of(999_999)), ("0 kB".into(), "1 kB".into(), "1000 kB".into()));
        assert_eq!((of(44_000_000), of(2_450_000_000)), ("44 MB".into(), "2.5 GB".into()));
    }
}
