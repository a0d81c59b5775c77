//! The shelf of figures: one file each, a trait and the lists.
//!
//! Every figure is an SVG of one column's width (3.33 in) with 8-point text, without a title, and a table of the
//! numbers behind it. The same results give the same bytes.

mod bandwidth_over_time;
pub mod by_network;
mod bytes_by_layer;
mod canvas;
mod cpu_use_over_time;
mod footprint_over_time;
mod grouped_bars;
mod latency_distribution;
mod layers;
mod names;
mod palette;
mod panel;
mod probes;
mod run_time;
mod scale;
mod time_by_layer;

use hetier_sim::result::RunResult;

use crate::Error;
use crate::output::OutputFile;
use crate::table::Table;

pub use by_network::STUDY_FIGURES;
pub use grouped_bars::{Bar, GroupedBars, Groups};
pub use probes::{
    BANDWIDTH_OVER_ACCESS, BANDWIDTH_OVER_THREADS, Curve, LATENCY_OVER_REGION, LOADED_LATENCY, Measured,
    OVERWRITE_TAIL, PROBE_FIGURES, ProbeFigure,
};

/// A kind of figure of results of type `Data`.
///
/// [`draw`] calls both methods with the same data; neither may depend on anything else.
pub trait Figure<Data: ?Sized>: Sync {
    /// Name of its files and on the command line, in kebab case.
    fn name(&self) -> &'static str;

    /// What it shows, in one or two sentences, for the page and for the list of figures.
    fn caption(&self) -> &'static str;

    /// The numbers drawn, in base units (seconds, bytes, nanoseconds), in full precision and not thinned out.
    fn data(&self, data: &Data) -> Table;

    /// The SVG document, or `None` if the data hold nothing to draw.
    fn svg(&self, data: &Data) -> Option<String>;
}

/// The figures of runs, in the order of the report.
pub const RUN_FIGURES: [&dyn Figure<[RunResult]>; 7] = [
    &run_time::RunTime,
    &bandwidth_over_time::BandwidthOverTime,
    &footprint_over_time::FootprintOverTime,
    &cpu_use_over_time::CpuUse,
    &latency_distribution::LatencyDistribution,
    &time_by_layer::TimeByLayer,
    &bytes_by_layer::BytesByLayer,
];

/// Name and caption of every figure there is: of runs, of micro-benchmarks, of studies.
pub fn summaries() -> Vec<(&'static str, &'static str)> {
    let runs = RUN_FIGURES.iter().map(|figure| (figure.name(), figure.caption()));
    let probes = PROBE_FIGURES.iter().map(|figure| (figure.name(), figure.caption()));
    let studies = STUDY_FIGURES.iter().map(|figure| (figure.name(), figure.caption()));
    runs.chain(probes).chain(studies).collect()
}

/// A figure that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// Name of its files.
    pub name: &'static str,
    /// What it shows.
    pub caption: &'static str,
    /// The SVG document.
    pub svg: String,
    /// The numbers behind it.
    pub csv: String,
}

impl Drawing {
    /// `figures/NAME.svg` and `figures/NAME.csv`; with feature `pdf` also `figures/NAME.pdf`.
    ///
    /// # Errors
    /// Those of the conversion to PDF.
    pub fn files(&self) -> Result<Vec<OutputFile>, Error> {
        self.files_named(self.name)
    }

    /// As [`Drawing::files`], with another name.
    pub(crate) fn files_named(&self, stem: &str) -> Result<Vec<OutputFile>, Error> {
        Ok(vec![
            OutputFile::new(format!("figures/{stem}.svg"), self.svg.as_bytes()),
            OutputFile::new(format!("figures/{stem}.csv"), self.csv.as_bytes()),
            #[cfg(feature = "pdf")]
            OutputFile::new(format!("figures/{stem}.pdf"), crate::pdf::convert(&self.svg)?),
        ])
    }
}

/// The files of drawings.
///
/// # Errors
/// Those of [`Drawing::files`].
pub fn files(drawings: &[Drawing]) -> Result<Vec<OutputFile>, Error> {
    let files = drawings.iter().map(Drawing::files).collect::<Result<Vec<_>, _>>()?;
    Ok(files.into_iter().flatten().collect())
}

/// Draws the figures of a list; those without data are left out.
pub fn draw<Data: ?Sized>(figures: &[&dyn Figure<Data>], data: &Data) -> Vec<Drawing> {
    figures.iter().filter_map(|figure| draw_one(*figure, data)).collect()
}

fn draw_one<Data: ?Sized>(figure: &dyn Figure<Data>, data: &Data) -> Option<Drawing> {
    let svg = figure.svg(data)?;
    let csv = figure.data(data).to_csv();
    Some(Drawing { name: figure.name(), caption: figure.caption(), svg, csv })
}

/// The figure of runs with a name.
///
/// # Errors
/// [`Error::UnknownFigure`] with the known names and the nearest of them.
pub fn find(name: &str) -> Result<&'static dyn Figure<[RunResult]>, Error> {
    let known = || RUN_FIGURES.iter().map(|figure| figure.name());
    RUN_FIGURES.into_iter().find(|figure| figure.name() == name).ok_or_else(|| Error::UnknownFigure {
        name: name.to_owned(),
        known: known().collect::<Vec<_>>().join(", "),
        nearest: known().min_by_key(|known| strsim::levenshtein(name, known)).unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_figure_names_the_nearest() {
        let Err(error) = find("footprint-over-tme") else { panic!("found") };

        assert!(error.to_string().contains("nearest: footprint-over-time"), "{error}");
        assert!(find("run-time").is_ok());
    }

    #[test]
    fn every_figure_that_a_study_may_name_has_a_summary() {
        let known: Vec<&str> = summaries().into_iter().map(|(name, _)| name).collect();

        for study in crate::experiment::names() {
            for figure in crate::experiment::load(study).unwrap().figures {
                assert!(known.contains(&figure.as_str()), "{figure} of {study} in {known:?}");
            }
        }
        assert!(STUDY_FIGURES.iter().all(|figure| known.contains(&figure.name())));
    }

    #[test]
    fn nothing_to_draw_is_left_out() {
        let empty = [RunResult { mode: "dram-only".to_owned(), ..RunResult::default() }];

        let drawn: Vec<&str> = draw(&RUN_FIGURES, &empty[..]).iter().map(|drawing| drawing.name).collect();

        assert_eq!(drawn, ["run-time"]);
        assert!(draw(&RUN_FIGURES, &[][..]).is_empty());
    }
}
