//! A page of fixed size in inches, drawn by `plotters` as SVG.
//!
//! `plotters` knows neither hatches nor dashes in SVG. They are drawn in colours whose lowest three bits of blue name
//! the pattern, which [`draw`] then replaces: a fill by a `<pattern>`, a stroke by `stroke-dasharray`.

use std::cell::RefCell;
use std::collections::BTreeSet;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::palette::{Colour, Dash, Fill, Hatch, Stroke};
use crate::table::spelt;

/// Width of a column of a two-column paper, in inches.
pub const COLUMN_INCHES: f64 = 3.33;

/// Units of a page to the inch.
pub const UNITS: f64 = 1000.0;

/// Size of all text, in points.
pub const FONT_POINTS: f64 = 8.0;

/// Height of a line of text in units.
pub const LINE: f64 = FONT_POINTS * 1.25 * POINT;

/// Units to a point.
pub const POINT: f64 = UNITS / 72.0;

/// Families that are metrically alike, so that text takes the same room everywhere.
const FONT: &str = "Helvetica, Arial, Liberation Sans, sans-serif";

/// `plotters` divides a font size by this before it writes it.
const FONT_FACTOR: f64 = 1.24;

/// A place on the page, in units from the upper left corner.
pub type Place = (f64, f64);

/// Where text stands relative to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Begins there.
    Start,
    /// Is centred there.
    Middle,
    /// Ends there.
    End,
}

/// A page being drawn.
pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    fills: RefCell<BTreeSet<Fill>>,
    strokes: RefCell<BTreeSet<(Colour, Dash)>>,
}

/// Draws a page of one column's width and returns the SVG document. `description` is for readers who cannot see it.
pub fn draw(height: f64, description: &str, paint: impl FnOnce(&Canvas<'_>)) -> String {
    let size = ((COLUMN_INCHES * UNITS) as u32, height.round() as u32);
    let mut svg = String::new();
    let (fills, strokes) = {
        let canvas = Canvas {
            area: SVGBackend::with_string(&mut svg, size).into_drawing_area(),
            fills: RefCell::default(),
            strokes: RefCell::default(),
        };
        paint(&canvas);
        canvas.area.present().expect(STRING);
        (canvas.fills.take(), canvas.strokes.take())
    };
    finish(&svg, size, description, &fills, &strokes)
}

const STRING: &str = "drawing into a string cannot fail";

impl Canvas<'_> {
    /// A line through places.
    pub fn line(&self, places: &[Place], stroke: Stroke) {
        self.strokes.borrow_mut().insert((stroke.colour, stroke.dash));
        let path: Vec<(i32, i32)> = places.iter().map(round).collect();
        let width = (stroke.points * POINT).round() as u32;
        let style = coded(stroke.colour, stroke.dash as u8).stroke_width(width);
        self.area.draw(&PathElement::new(path, style)).expect(STRING);
    }

    /// A filled rectangle between opposite corners.
    pub fn rectangle(&self, corner: Place, opposite: Place, fill: Fill) {
        self.polygon(&[corner, (opposite.0, corner.1), opposite, (corner.0, opposite.1)], fill);
    }

    /// A filled polygon.
    pub fn polygon(&self, places: &[Place], fill: Fill) {
        self.fills.borrow_mut().insert(fill);
        let path: Vec<(i32, i32)> = places.iter().map(round).collect();
        let style = coded(fill.colour, fill.hatch as u8);
        self.area.draw(&Polygon::new(path, style.filled())).expect(STRING);
    }

    /// A diamond that marks a point of a curve.
    pub fn diamond(&self, (x, y): Place, colour: Colour) {
        let reach = 2.4 * POINT;
        let corners = [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)];
        self.polygon(&corners, Fill { colour, hatch: Hatch::None });
    }

    /// Horizontal text, vertically centred at its place.
    pub fn text(&self, at: Place, text: &str, anchor: Anchor) {
        self.styled(at, text, anchor, FontTransform::None);
    }

    /// Text that reads upwards, centred at its place.
    pub fn upward_text(&self, at: Place, text: &str) {
        self.styled(at, text, Anchor::Middle, FontTransform::Rotate270);
    }

    fn styled(&self, at: Place, text: &str, anchor: Anchor, transform: FontTransform) {
        let horizontal = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let font = (FONT, FONT_POINTS * POINT * FONT_FACTOR).into_font().transform(transform);
        let style = font.color(&BLACK).pos(Pos::new(horizontal, VPos::Center));
        self.area.draw(&Text::new(spelt(text), round(&at), style)).expect(STRING);
    }
}

/// Room that text takes in units: 0.63 em a letter. Helvetica needs 0.55; where it is missing, wider faces stand in.
pub fn text_width(text: &str) -> f64 {
    spelt(text).chars().count() as f64 * 0.63 * FONT_POINTS * POINT
}

fn round(place: &Place) -> (i32, i32) {
    (place.0.round() as i32, place.1.round() as i32)
}

/// The colour with a pattern's number in the lowest three bits of blue.
fn coded(colour: Colour, pattern: u8) -> RGBColor {
    RGBColor(colour.0, colour.1, (colour.2 & !7) | pattern)
}

fn hexadecimal(colour: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

fn finish(
    svg: &str,
    size: (u32, u32),
    description: &str,
    fills: &BTreeSet<Fill>,
    strokes: &BTreeSet<(Colour, Dash)>,
) -> String {
    let pixels = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    let inches =
        format!("width=\"{}in\" height=\"{}in\"", f64::from(size.0) / UNITS, f64::from(size.1) / UNITS);
    let mut svg = svg.replacen(&pixels, &inches, 1);
    let mut head = format!("\n<desc>{}</desc>\n", escape(description));
    for fill in fills.iter().filter(|fill| fill.hatch != Hatch::None) {
        let code = hexadecimal(coded(fill.colour, fill.hatch as u8));
        let id = format!("hatch-{}", &code[1..]);
        svg = svg.replace(&format!("fill=\"{code}\""), &format!("fill=\"url(#{id})\""));
        head.push_str(&pattern(&id, *fill));
    }
    for &(colour, dash) in strokes.iter().filter(|(_, dash)| *dash != Dash::None) {
        let code = hexadecimal(coded(colour, dash as u8));
        let solid =
            format!("stroke=\"{}\" stroke-dasharray=\"{}\"", hexadecimal(coded(colour, 0)), dash.array());
        svg = svg.replace(&format!("stroke=\"{code}\""), &solid);
    }
    // Offsets in `ex` are read differently by different programs.
    let svg = svg.replace("dy=\"0.5ex\"", "dy=\"0.35em\"").replace(" opacity=\"1\"", "");
    let body = svg.find('>').map_or(0, |end| end + 1);
    format!("{}{head}{}", &svg[..body], svg[body..].trim_start_matches('\n'))
}

/// White lines over the colour.
fn pattern(id: &str, fill: Fill) -> String {
    let colour = hexadecimal(coded(fill.colour, 0));
    let (step, path) = fill.hatch.tile();
    format!(
        "<defs><pattern id=\"{id}\" width=\"{step}\" height=\"{step}\" patternUnits=\"userSpaceOnUse\">\
         <rect width=\"{step}\" height=\"{step}\" fill=\"{colour}\"/>\
         <path d=\"{path}\" stroke=\"#FFFFFF\" stroke-width=\"13\" fill=\"none\"/></pattern></defs>\n"
    )
}

fn escape(text: &str) -> String {
    spelt(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_hold_no_character_that_xml_lacks() {
        let svg =
            draw(UNITS, "a\u{1b}b", |canvas| canvas.text((0.0, 0.0), "bell\u{7}\u{ffff}<", Anchor::Start));

        assert!(svg.contains("a\\u{1b}b") && svg.contains("bell\\u{7}\\u{ffff}&lt;"), "{svg}");
        assert!(svg.lines().all(|line| !line.contains(char::is_control)), "{svg:?}");
    }
}
