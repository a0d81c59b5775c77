//! `completions` and `man`: generated from the list of arguments.

use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::{Failure, Outcome};

/// Writes the completions of a shell to standard output.
pub fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hetier", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

/// Writes the manual page to standard output: the program, then a section for every verb.
pub fn page() -> Outcome {
    let mut page = Vec::new();
    let command = Cli::command();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(Failure::work)?;
    for verb in command.get_subcommands() {
        let verb = verb.clone().display_name(format!("hetier {}", verb.get_name()));
        let manual = clap_mangen::Man::new(verb);
        manual.render_name_section(&mut page).map_err(Failure::work)?;
        manual.render_synopsis_section(&mut page).map_err(Failure::work)?;
        manual.render_options_section(&mut page).map_err(Failure::work)?;
    }
    say!("{}", String::from_utf8_lossy(&page).trim_end());
    Ok(())
}
