//! Quantiles of measured times.

/// The quantile of these values by nearest rank; `part` is from 0 to 1. `None` when there are no values.
pub fn quantile<T: Copy + PartialOrd>(values: impl Iterator<Item = T>, part: f64) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    let rank = (values.len() as f64 * part).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}
