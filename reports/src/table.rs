//! A table of text cells, written for the terminal, for LaTeX and as CSV.

use serde::Serialize;

/// What stands for a value that does not apply.
pub const NOT_APPLICABLE: &str = "–";

/// Column heads and rows of cells. Every row has as many cells as there are heads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Column heads, with units.
    pub heads: Vec<String>,
    /// Rows of cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(|&head| head.to_owned()).collect(), rows: Vec::new() }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// If the row is not as long as the heads: a broken invariant of the caller.
    pub fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.heads.len(), "a row has a cell for each head");
        self.rows.push(row);
    }

    /// Rows for columns: the first column becomes the heads.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let column = |at: usize| self.rows.iter().map(move |row| row[at].clone());
        let line = |at: usize| std::iter::once(self.heads[at].clone()).chain(column(at)).collect();
        Self { heads: line(0), rows: (1..self.heads.len()).map(line).collect() }
    }

    /// For a terminal: aligned columns, the first to the left and the others to the right, a line below the heads.
    pub fn to_text(&self) -> String {
        let widths: Vec<usize> = (0..self.heads.len()).map(|column| self.width(column)).collect();
        let rule: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
        let mut text = String::new();
        for row in [&self.heads, &rule].into_iter().chain(&self.rows) {
            push_line(&mut text, row, &widths);
        }
        text
    }

    /// As comma-separated values with a line of heads.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(&self.heads).chain(&self.rows) {
            writer.write_record(row).expect("rows are equally long and memory takes every write");
        }
        let bytes = writer.into_inner().expect("memory takes every write");
        String::from_utf8(bytes).expect("cells are UTF-8")
    }

    /// As a LaTeX `tabular` with `booktabs` rules, ready to be read with `\input`.
    pub fn to_latex(&self) -> String {
        let columns = "r".repeat(self.heads.len().saturating_sub(1));
        let mut text =
            format!("% needs \\usepackage{{booktabs}}\n\\begin{{tabular}}{{l{columns}}}\n\\toprule\n");
        text.push_str(&latex_line(&self.heads));
        text.push_str("\\midrule\n");
        for row in &self.rows {
            text.push_str(&latex_line(row));
        }
        text.push_str("\\bottomrule\n\\end{tabular}\n");
        text
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| &row[column]);
        cells.chain([&self.heads[column]]).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

fn push_line(text: &mut String, row: &[String], widths: &[usize]) {
    let mut line = String::new();
    for (column, (cell, &width)) in row.iter().zip(widths).enumerate() {
        if column == 0 {
            line.push_str(&format!("{cell:<width$}"));
        } else {
            line.push_str(&format!("  {cell:>width$}"));
        }
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn latex_line(row: &[String]) -> String {
    let cells: Vec<String> = row.iter().map(|cell| latex_escape(cell)).collect();
    format!("{} \\\\\n", cells.join(" & "))
}

fn latex_escape(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    for letter in cell.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => text.extend(['\\', letter]),
            '\\' => text.push_str("\\textbackslash{}"),
            '~' => text.push_str("\\textasciitilde{}"),
            '^' => text.push_str("\\textasciicircum{}"),
            '×' => text.push_str("$\\times$"),
            'µ' => text.push_str("$\\mu$"),
            '–' => text.push_str("--"),
            other => text.push(other),
        }
    }
    text
}

/// A cell for a value that may not apply.
pub(crate) fn cell<T>(value: Option<T>, form: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| NOT_APPLICABLE.to_owned(), form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["mode", "time (µs)", "share"]);
        table.push(vec!["a_b".to_owned(), "1.5".to_owned(), "50 %".to_owned()]);
        table.push(vec!["c, d".to_owned(), "10".to_owned(), NOT_APPLICABLE.to_owned()]);
        table
    }

    #[test]
    fn text_aligns_numbers_to_the_right() {
        let text = table().to_text();

        assert_eq!(text.lines().nth(2), Some("a_b         1.5   50 %"));
        assert_eq!(text.lines().nth(3), Some("c, d         10      –"));
    }

    #[test]
    fn csv_quotes_commas() {
        assert_eq!(table().to_csv(), "mode,time (µs),share\na_b,1.5,50 %\n\"c, d\",10,–\n");
    }

    #[test]
    fn latex_escapes_its_own_signs() {
        let latex = table().to_latex();

        assert!(latex.contains("a\\_b & 1.5 & 50 \\% \\\\"));
        assert!(latex.contains("time ($\\mu$s)"));
        assert!(latex.contains("c, d & 10 & --"));
    }

    #[test]
    fn transposing_twice_changes_nothing() {
        assert_eq!(table().transposed().heads, ["mode", "a_b", "c, d"]);
        assert_eq!(table().transposed().transposed(), table());
    }
}
