//! `pixdex backup` and `pixdex restore`: a library in one file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::output;
use crate::config::Config;
use crate::priority;
use crate::store::{Lock, Store};
use crate::upkeep::{self, BackupReport};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Write what cannot be made again into one file: the database, label files, and decisions. A running daemon goes on meanwhile.
///
/// The file is there as a whole or not at all, and holds the library as it was at one moment. Put it back with `pixdex restore`.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file; an earlier backup is replaced
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        // A daemon may be answering.
        priority::give_way();
        let store = Store::open_existing(&config.library_dir()?)?;
        let labels = config.labels_folder()?;
        let is_done = AtomicBool::default();
        let report = thread::scope(|threads| {
            let is_done = &is_done;
            let report = upkeep::back_up(&store, &labels, &self.file, |grows, bytes| {
                let grows = grows.to_owned();
                threads.spawn(move || show(&grows, bytes, is_done));
            });
            is_done.store(true, Ordering::Relaxed);
            report
        })?;
        output::print(&report, self.json, |report| {
            print_report("backed up", report);
        })
    }
}

/// Shows how long a file has become, until it is done.
fn show(grows: &Path, bytes: u64, is_done: &AtomicBool) {
    let bar = output::counting("backing up", bytes as usize);
    while !is_done.load(Ordering::Relaxed) {
        bar.set_position(grows.metadata().map_or(0, |file| file.len()));
        thread::sleep(TICK);
    }
    bar.finish_and_clear();
}

/// Put a backup back, where there is no library yet or one that cannot be opened any more.
///
/// The backup is checked before anything is touched. Label files and decisions that are there stay as they are.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The file, as `pixdex backup` writes it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let folder = config.library_dir()?;
        let _lock = Lock::take(&folder)?;
        let report = upkeep::restore(&self.file, &folder, &config.labels_folder()?)?;
        output::print(&report, self.json, |report| {
            print_report("put back", report);
            if let Some(aside) = &report.moved_aside {
                print_line!("the database that was there lies in {}", aside.display());
            }
            for kept in &report.kept {
                print_line!(
                    "{} differs from the backup, and stays as it is",
                    kept.display()
                );
            }
        })
    }
}

fn print_report(done: &str, report: &BackupReport) {
    let BackupReport {
        bytes,
        images,
        label_files,
        ..
    } = report;
    print_line!("{images} images and {label_files} label files {done}, {bytes} bytes");
}
