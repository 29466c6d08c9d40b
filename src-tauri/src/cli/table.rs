//! Tables for people: columns as wide as what is in them.

use super::output;

/// Prints rows under their headings. Without rows, a sentence instead.
pub(super) fn print<const N: usize>(headings: [&str; N], rows: &[[String; N]], nothing: &str) {
    if rows.is_empty() {
        output::say(nothing);
        return;
    }
    output::say(lay_out(headings, rows).trim_end());
}

fn lay_out<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let body = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(headings)).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [["a".to_owned(), "long cell".to_owned()], ["größer".to_owned(), String::new()]];
        assert_eq!(lay_out(["one", "two"], &rows), "one     two\na       long cell\ngrößer\n");
    }
}
