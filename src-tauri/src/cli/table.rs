//! Prints tables with aligned columns.

use super::output;

/// Prints rows under their headings, or `empty` if there are no rows.
pub(super) fn print<const N: usize>(headings: [&str; N], rows: &[[String; N]], empty: &str) {
    if rows.is_empty() {
        output::print(empty);
        return;
    }
    output::print(format_table(headings, rows).trim_end());
}

fn format_table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
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
    fn columns_are_as_wide_as_their_longest_cell() {
        let rows = [["a".to_owned(), "long cell".to_owned()], ["größer".to_owned(), String::new()]];
        assert_eq!(format_table(["one", "two"], &rows), "one     two\na       long cell\ngrößer\n");
    }
}
