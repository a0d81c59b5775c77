//! A figure as PDF, for papers: vectors, with the letters that it uses embedded. Feature `pdf`.

use std::sync::LazyLock;

use svg2pdf::usvg::{Options, Tree};
use svg2pdf::{ConversionOptions, PageOptions};

use crate::Error;

/// Pixels of an SVG to the inch (CSS Values 3, section 5.2).
const DPI: f32 = 96.0;

/// What text is set in on every machine: the narrow face of `DejaVu` Sans, which comes with the crate, stands in for the
/// families that a figure asks for, and for sans serif. It needs 0.55 em a letter, as Helvetica does.
static OPTIONS: LazyLock<Options<'static>> = LazyLock::new(|| {
    let mut options = Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(dejavu::sans_condensed::regular().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    options
});

/// The PDF of an SVG document, of its size. The same document gives the same bytes. Takes some 20 ms.
///
/// # Errors
/// - [`Error::Pdf`] if the document is not SVG, or its text cannot be embedded.
pub fn convert(svg: &str) -> Result<Vec<u8>, Error> {
    let failed = |reason: String| Error::Pdf { reason };
    let tree = Tree::from_str(svg, &OPTIONS).map_err(|error| failed(error.to_string()))?;
    let page = PageOptions { dpi: DPI };
    let pdf = svg2pdf::to_pdf(&tree, ConversionOptions::default(), page);
    pdf.map(|pdf| ordered(&pdf)).map_err(|error| failed(error.to_string()))
}

/// Names of patterns in the order of their bytes: the converter lists them in that of a hash map, which differs from run
/// to run. Nothing moves but the entries of a list, so that all offsets in the file stay right.
fn ordered(pdf: &[u8]) -> Vec<u8> {
    let is_pattern = |line: &[u8]| line.trim_ascii_start().starts_with(b"/po") && line.ends_with(b" 0 R");
    let mut lines: Vec<&[u8]> = pdf.split(|byte| *byte == b'\n').collect();
    lines.chunk_by_mut(|one, next| is_pattern(one) && is_pattern(next)).for_each(<[_]>::sort_unstable);
    lines.join(&b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str = r##"<svg width="3.33in" height="1in" viewBox="0 0 3330 1000" xmlns="http://www.w3.org/2000/svg">
        <defs><pattern id="a" width="50" height="50" patternUnits="userSpaceOnUse"><rect width="9" height="9"/></pattern></defs>
        <rect width="100" height="90" fill="url(#a)"/><rect x="200" width="100" height="90" fill="url(#a)"/>
        <rect y="200" width="100" height="90" fill="url(#a)"/><rect y="400" width="100" height="90" fill="url(#a)"/>
        <text x="100" y="500" font-family="Helvetica, sans-serif" font-size="110" fill="#000000">10⁹ µs × 2 – µ</text>
        </svg>"##;

    fn has(bytes: &[u8], text: &str) -> bool {
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn page_has_the_size_of_the_figure_and_its_letters_are_embedded() {
        let pdf = convert(SVG).unwrap();

        // 3.33 in are 239.76 points.
        assert!(pdf.starts_with(b"%PDF-") && has(&pdf, "[0 0 239.76"));
        assert!(has(&pdf, "/FontFile"), "a font");
        assert!(pdf.len() < 40_000, "a subset of it: {}", pdf.len());
        assert_eq!(pdf, convert(SVG).unwrap());
    }

    #[test]
    fn text_that_is_not_svg_is_refused() {
        let error = convert("<svg").unwrap_err().to_string();

        assert!(error.starts_with("converting a figure to PDF: "), "{error}");
    }
}
