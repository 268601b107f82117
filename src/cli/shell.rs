//! `pixdex completions` and `pixdex man`: what a shell and `man` want to know of the command line.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, output};

/// Print what completes this command line in a shell.
///
/// As for bash: pixdex completions bash > ~/.local/share/bash-completion/completions/pixdex
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// Write the pages of the manual into a folder, one for each command.
///
/// As: pixdex man ~/.local/share/man/man1
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Where they go; made where it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Completions {
    pub(super) fn run(&self) -> Result<()> {
        // It panics where it cannot write.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "pixdex", &mut script);
        Ok(output::Stdout.write_all(&script)?)
    }
}

impl Man {
    pub(super) fn run(&self) -> Result<()> {
        let folder = &self.folder;
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        written.with_context(|| format!("failed to write the manual into `{}`", folder.display()))
    }
}
