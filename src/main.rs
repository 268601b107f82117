//! The `pixdex` program: parses the command line, runs the command, maps an error to an exit code.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

use std::process::ExitCode;

use clap::Parser;
use pixdex::cli::{Cli, FilesWait};

/// All went well but for what may pass by itself: whoever runs pixdex regularly need not be called.
const FILES_WAIT: u8 = 3;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<FilesWait>() {
                ExitCode::from(FILES_WAIT)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
