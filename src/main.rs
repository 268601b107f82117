//! The `pixdex` program.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

use std::process::ExitCode;

/// Static builds bring their own: musl's has one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pixdex::cli::main()
}
