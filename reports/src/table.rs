//! A table of entries, written for the terminal, for LaTeX, as Markdown and as CSV.

use std::ops::Range;

use crate::entry::{Entry, exact};

/// What stands for a value that does not apply.
pub const NOT_APPLICABLE: &str = "–";

/// Letters of a text from which on its column breaks lines in LaTeX.
const LONG_TEXT: usize = 28;

/// The same of the first column, whose names are best read in one line.
const LONG_NAME: usize = 48;

/// Column heads and rows of entries. Every row has as many entries as there are heads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Column heads, with units in parentheses at their ends.
    pub heads: Vec<String>,
    /// Rows of entries.
    pub rows: Vec<Vec<Entry>>,
}

impl Table {
    /// An empty table. Control characters of heads and texts are [`spelt`] out, in whatever form they are written.
    pub fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(|head| spelt(head)).collect(), rows: Vec::new() }
    }

    /// Appends a row, of entries or of texts.
    ///
    /// # Panics
    /// If the row is not as long as the heads: a broken invariant of the caller.
    pub fn push<E: Into<Entry>>(&mut self, row: Vec<E>) {
        assert_eq!(row.len(), self.heads.len(), "a row has an entry for each head");
        let entry = |entry: E| match entry.into() {
            Entry::Text(text) => Entry::Text(spelt(&text)),
            other => other,
        };
        self.rows.push(row.into_iter().map(entry).collect());
    }

    /// Rows for columns: the first column becomes the heads.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let heads = self.rows.iter().map(|row| row[0].shown());
        let line = |at: usize| {
            let head = Entry::from(self.heads[at].as_str());
            std::iter::once(head).chain(self.rows.iter().map(|row| row[at].clone())).collect()
        };
        Self {
            heads: self.heads.iter().take(1).cloned().chain(heads).collect(),
            rows: (1..self.heads.len()).map(line).collect(),
        }
    }

    /// Without the columns in which nothing applies in any row.
    #[must_use]
    pub fn without_empty_columns(&self) -> Self {
        self.with_columns(|at| self.rows.iter().any(|row| row[at] != Entry::Nothing))
    }

    /// Without the column of this head.
    #[must_use]
    pub fn without(&self, head: &str) -> Self {
        self.with_columns(|at| self.heads[at] != head)
    }

    fn with_columns(&self, is_kept: impl Fn(usize) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.heads.len()).filter(|at| is_kept(*at)).collect();
        let row = |row: &Vec<Entry>| kept.iter().map(|&at| row[at].clone()).collect();
        Self {
            heads: kept.iter().map(|&at| self.heads[at].clone()).collect(),
            rows: self.rows.iter().map(row).collect(),
        }
    }

    /// The rows as people read them.
    pub fn shown(&self) -> Vec<Vec<String>> {
        self.rows.iter().map(|row| row.iter().map(Entry::shown).collect()).collect()
    }

    /// For a terminal: aligned columns, a line below the heads. The first column and those of words alone stand to the
    /// left, the others to the right.
    pub fn to_text(&self) -> String {
        let (heads, rows) = (&self.heads, self.shown());
        let width = |column: usize| {
            let cells = rows.iter().map(|row| &row[column]).chain([&heads[column]]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.heads.len()).map(width).collect();
        let rule: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
        let mut text = String::new();
        let has_digit = |cell: &String| cell.contains(|letter: char| letter.is_ascii_digit());
        let is_left: Vec<bool> =
            (0..widths.len()).map(|at| at == 0 || !rows.iter().any(|row| has_digit(&row[at]))).collect();
        for row in [heads, &rule].into_iter().chain(&rows) {
            push_line(&mut text, row, &widths, &is_left);
        }
        text
    }

    /// For a terminal, with numbers in the last column for its texts, which stand below the table, each once.
    pub fn to_text_with_notes(&self) -> String {
        let mut table = self.clone();
        let mut notes: Vec<Entry> = Vec::new();
        for last in table.rows.iter_mut().filter_map(|row| row.last_mut()) {
            let number = notes.iter().position(|note| note == last).unwrap_or(notes.len());
            let noted = Entry::Text(format!("[{}]", number + 1));
            let text = std::mem::replace(last, noted);
            if number == notes.len() {
                notes.push(text);
            }
        }
        let notes = notes.iter().zip(1..).map(|(note, number)| format!("[{number}] {}\n", note.shown()));
        table.to_text() + "\n" + &notes.collect::<String>()
    }

    /// As Markdown.
    pub fn to_markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = format!("|{}\n", "---|".repeat(self.heads.len()));
        let rows: String = self.shown().iter().map(|row| line(row)).collect();
        format!("{}{rule}{rows}", line(&self.heads))
    }

    /// As comma-separated values with a line of heads: numbers in full precision without units, an empty field where
    /// nothing applies, and two more columns, `… min` and `… max`, behind each that holds an ensemble's numbers (`… low` and
    /// `… high` behind an interval of its mean).
    pub fn to_csv(&self) -> String {
        let spread: Vec<bool> = (0..self.heads.len())
            .map(|column| self.rows.iter().any(|row| row[column].range().is_some()))
            .collect();
        let heads = self.heads.iter().zip(&spread).flat_map(|(head, &is_spread)| {
            let [least, most] = if head.contains("interval") { ["low", "high"] } else { ["min", "max"] };
            let more = [format!("{head} {least}"), format!("{head} {most}")];
            std::iter::once(head.clone()).chain(more.into_iter().filter(move |_| is_spread))
        });
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut write = |fields: Vec<String>| {
            writer.write_record(fields).expect("rows are equally long and memory takes every write");
        };
        write(heads.collect());
        for row in &self.rows {
            let fields = row.iter().zip(&spread).flat_map(|(entry, &is_spread)| {
                let of = |value: Option<f64>| value.map_or_else(String::new, exact);
                let more = [of(entry.range().map(|range| range.0)), of(entry.range().map(|range| range.1))];
                std::iter::once(entry.raw()).chain(more.into_iter().filter(move |_| is_spread))
            });
            write(fields.collect());
        }
        let bytes = writer.into_inner().expect("memory takes every write");
        String::from_utf8(bytes).expect("fields are UTF-8")
    }

    /// As a LaTeX `tabular` with `booktabs` rules, ready to be read with `\input`.
    ///
    /// Heads take two lines: neighbours that begin with the same word stand below it, the others have their unit in the
    /// second line. Columns in which nothing applies are left out, long texts break their lines.
    pub fn to_latex(&self) -> String {
        let table = self.without_empty_columns();
        let mut text = format!(
            "% needs \\usepackage{{array,booktabs}}\n\\begin{{tabular}}{{{}}}\n\\toprule\n{}\\midrule\n",
            table.latex_columns(),
            table.latex_heads()
        );
        for row in table.shown() {
            text.push_str(&latex_line(row.iter().map(|cell| latex_escape(cell))));
        }
        text.push_str("\\bottomrule\n\\end{tabular}\n");
        text
    }

    /// Texts to the left, numbers to the right; long texts share what short columns leave of the page.
    fn latex_columns(&self) -> String {
        let is_text = |at: usize| !self.rows.iter().any(|row| matches!(row[at], Entry::Number { .. }));
        let longest = |at: usize| if at == 0 { LONG_NAME } else { LONG_TEXT };
        let is_long = |at: usize| self.rows.iter().any(|row| row[at].shown().chars().count() > longest(at));
        let columns = 0..self.heads.len();
        let long = columns.clone().filter(|&at| is_long(at)).count();
        let short = self.heads.len() - long;
        // A short column takes about a twelfth of a page's width.
        let share = ((0.95 - short as f64 / 12.0) / long.max(1) as f64).max(0.12);
        let column = |at: usize| match (is_long(at), is_text(at)) {
            (true, _) => format!(">{{\\raggedright\\arraybackslash}}p{{{share:.2}\\textwidth}}"),
            (false, true) => "l".to_owned(),
            (false, false) => "r".to_owned(),
        };
        columns.map(column).collect()
    }

    fn latex_heads(&self) -> String {
        let (mut upper, mut lower, mut rules) = (Vec::new(), Vec::new(), String::new());
        for group in self.head_groups() {
            if let [head] = &self.heads[group.clone()] {
                let (name, unit) =
                    head.split_once(" (").map_or((head.as_str(), ""), |(name, unit)| (name, unit));
                upper.push(latex_escape(name));
                lower.push(if unit.is_empty() { String::new() } else { latex_escape(&format!("({unit}")) });
                continue;
            }
            let word = first_word(&self.heads[group.start]);
            let shared = latex_escape(word.trim_end_matches(','));
            upper.push(format!("\\multicolumn{{{}}}{{c}}{{{shared}}}", group.len()));
            rules += &format!("\\cmidrule(lr){{{}-{}}}", group.start + 1, group.end);
            lower.extend(self.heads[group].iter().map(|head| latex_escape(head[word.len()..].trim_start())));
        }
        let rules = if rules.is_empty() { rules } else { rules + "\n" };
        let lower = if lower.iter().all(String::is_empty) { String::new() } else { latex_line(lower) };
        format!("{}{rules}{lower}", latex_line(upper))
    }

    /// Neighbouring heads that begin with the same word and go on after it.
    fn head_groups(&self) -> Vec<Range<usize>> {
        let goes_on =
            |head: &str| head[first_word(head).len()..].trim_start().starts_with(char::is_alphabetic);
        let mut groups: Vec<Range<usize>> = Vec::new();
        for (at, head) in self.heads.iter().enumerate() {
            match groups.last_mut() {
                Some(group)
                    if first_word(&self.heads[group.start]) == first_word(head)
                        && goes_on(&self.heads[group.start])
                        && goes_on(head) =>
                {
                    group.end = at + 1;
                }
                _ => groups.push(at..at + 1),
            }
        }
        groups
    }
}

/// A text in which what a terminal would obey, and what XML does not hold, is spelt out: names come from traces of
/// anyone's.
pub fn spelt(text: &str) -> String {
    let is_spelt = |letter: char| letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}');
    let letter = |letter: char| {
        if is_spelt(letter) { letter.escape_default().to_string() } else { letter.to_string() }
    };
    text.chars().map(letter).collect()
}

fn first_word(head: &str) -> &str {
    head.split(' ').next().unwrap_or_default()
}

fn push_line(text: &mut String, row: &[String], widths: &[usize], is_left: &[bool]) {
    let cells = row.iter().zip(widths).zip(is_left).map(|((cell, &width), &is_left)| {
        if is_left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    });
    text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
    text.push('\n');
}

/// A row; behind the end of the one before it, `[` and `*` would be read as options of that.
fn latex_line(cells: impl IntoIterator<Item = String>) -> String {
    let line = cells.into_iter().collect::<Vec<_>>().join(" & ");
    let guard = if line.starts_with(['[', '*']) { "{}" } else { "" };
    format!("{guard}{line} \\\\\n")
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
            '÷' => text.push_str("$\\div$"),
            'µ' => text.push_str("$\\mu$"),
            'σ' => text.push_str("$\\sigma$"),
            '⁶' => text.push_str("$^6$"),
            '⁹' => text.push_str("$^9$"),
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
    use hetier_sim::result::Quantiles;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["mode", "time (µs)", "share"]);
        table.push(vec![Entry::from("a_b"), Entry::number(1.512_5, 2), "50 %".into()]);
        table.push(vec![Entry::from("c, d"), Entry::number(10.0, 2), Entry::Nothing]);
        table
    }

    #[test]
    fn text_aligns_numbers_to_the_right() {
        let text = table().to_text();

        assert_eq!(text.lines().nth(2), Some("a_b         1.5   50 %"));
        assert_eq!(text.lines().nth(3), Some("c, d         10      –"));
    }

    #[test]
    fn control_characters_are_spelt_out_in_every_form() {
        let mut table = Table::new(&["phase", "ca\u{7}lls"]);
        table.push(vec!["\u{1b}[31mé", "1"]);

        let text = table.to_text();

        assert_eq!(text.lines().nth(2), Some("\\u{1b}[31mé           1"));
        for form in
            [text, table.to_csv(), table.to_markdown(), table.to_latex(), table.transposed().to_text()]
        {
            assert!(form.lines().all(|line| !line.contains(char::is_control)), "{form:?}");
        }
    }

    #[test]
    fn text_aligns_words_to_the_left() {
        let mut table = Table::new(&["a", "words", "sizes"]);
        table.push(vec![Entry::from("x"), "pass".into(), "4 KiB".into()]);
        table.push(vec![Entry::from("y"), "calibrated".into(), "64 B".into()]);

        let text = table.to_text();

        assert_eq!(text.lines().nth(2), Some("x  pass        4 KiB"));
        assert_eq!(text.lines().nth(3), Some("y  calibrated   64 B"));
    }

    #[test]
    fn csv_quotes_commas_and_keeps_numbers_whole() {
        assert_eq!(table().to_csv(), "mode,time (µs),share\na_b,1.5125,50 %\n\"c, d\",10,\n");
    }

    #[test]
    fn csv_has_columns_for_the_spread_where_there_is_one() {
        let mut table = Table::new(&["mode", "time (s)", "share"]);
        let spread = Quantiles { min: 1.0, median: 2.0, max: 3.0, ..Quantiles::default() };
        table.push(vec![Entry::from("a"), Entry::number(2.0, 2).within(Some(spread)), Entry::Nothing]);
        table.push(vec![Entry::from("b"), Entry::Nothing, Entry::number(0.5, 2)]);

        assert_eq!(table.to_csv(), "mode,time (s),time (s) min,time (s) max,share\na,2,1,3,\nb,,,,0.5\n");
    }

    #[test]
    fn latex_escapes_its_own_signs() {
        let latex = table().to_latex();

        assert!(latex.contains("a\\_b & 1.5 & 50 \\% \\\\"));
        assert!(latex.contains("mode & time & share \\\\\n & ($\\mu$s) &  \\\\\n"), "{latex}");
        assert!(latex.contains("c, d & 10 & --"));
    }

    #[test]
    fn latex_sets_neighbours_of_one_word_below_it_and_leaves_empty_columns_out() {
        let mut table =
            Table::new(&["network", "peak (GB)", "DRAM read (GB)", "DRAM write (GB)", "PMem read (GB)"]);
        let number = |value| Entry::number(value, 2);
        table.push(vec![Entry::from("a"), number(1.0), number(2.0), number(3.0), Entry::Nothing]);

        let latex = table.to_latex();

        assert!(latex.contains("{lrrr}"), "{latex}");
        assert!(
            latex.contains("network & peak & \\multicolumn{2}{c}{DRAM} \\\\\n\\cmidrule(lr){3-4}\n"),
            "{latex}"
        );
        assert!(latex.contains(" & (GB) & read (GB) & write (GB) \\\\\n\\midrule"), "{latex}");
        assert!(!latex.contains("PMem"), "{latex}");
    }

    #[test]
    fn latex_heads_have_no_comma_alone_and_no_bare_sigma() {
        let mut table = Table::new(&["", "memory-mode, cold", "memory-mode, warm"]);
        table.push(vec![Entry::from("error (1σ, %)"), Entry::number(1.0, 2), Entry::number(2.0, 2)]);

        let latex = table.to_latex();

        assert!(latex.contains("\\multicolumn{2}{c}{memory-mode} \\\\"), "{latex}");
        assert!(latex.contains(" & cold & warm"), "{latex}");
        assert!(latex.contains("error (1$\\sigma$, \\%)") && !latex.contains('σ'), "{latex}");
    }

    #[test]
    fn long_texts_share_what_short_columns_leave_of_a_page() {
        let mut table = Table::new(&["why", "source", "error (%)"]);
        let long = "a text of more letters than even the first column holds";
        table.push(vec![Entry::from(long), long.into(), Entry::number(1.0, 2)]);

        // (0.95 − 1 ÷ 12) ÷ 2 of the page's width each.
        assert_eq!(table.to_latex().matches("p{0.43\\textwidth}").count(), 2);
    }

    #[test]
    fn a_row_is_no_option_of_the_one_before_it() {
        let mut table = Table::new(&["point", "value"]);
        table.push(vec![Entry::from("[Peak] of digits"), Entry::number(1.0, 2)]);
        table.push(vec![Entry::from("*"), Entry::number(2.0, 2)]);

        let latex = table.to_latex();

        assert!(latex.contains("\n{}[Peak] of digits & 1.0") && latex.contains("\n{}* & 2.0"), "{latex}");
    }

    #[test]
    fn names_of_rows_stay_in_one_line() {
        let mut table = Table::new(&["", "a", "b"]);
        let name = "mean of seeds, 95 % interval (ms)";
        table.push(vec![Entry::from(name), Entry::number(1.0, 2), Entry::number(2.0, 2)]);

        assert!(table.to_latex().contains("{lrr}"));
    }

    #[test]
    fn transposing_twice_changes_nothing() {
        assert_eq!(table().transposed().heads, ["mode", "a_b", "c, d"]);
        assert_eq!(table().transposed().transposed(), table());
    }
}
