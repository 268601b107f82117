//! The `pixdex` program.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

use std::process::ExitCode;

fn main() -> ExitCode {
    pixdex::cli::main()
}
