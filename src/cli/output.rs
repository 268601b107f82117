//! What commands write: one JSON document on standard output where that is asked for, progress on standard error.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use tracing::info;

use crate::ingest::Progress;
use crate::model;

/// All bars of the process; log lines are written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// How often progress is logged where nobody sees a bar.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Prints an answer: as one JSON document where that is asked for, else in words.
pub(super) fn print<T: Serialize>(answer: &T, json: bool, in_words: impl FnOnce(&T)) -> Result<()> {
    if json {
        return print_json(answer);
    }
    in_words(answer);
    Ok(())
}

/// Prints one JSON document.
fn print_json(value: &impl Serialize) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Where the log is written.
pub(super) fn log_writer() -> impl Write {
    LogWriter
}

struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn bar(template: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    BARS.add(ProgressBar::new(0).with_style(style))
}

/// Shows downloads: a bar for each file, or a line in the log now and then.
pub(super) fn download() -> impl Fn(model::Progress<'_>) {
    let current: RefCell<Option<(String, ProgressBar)>> = RefCell::new(None);
    let logged = Mutex::new(Instant::now());
    move |progress| {
        if !io::stderr().is_terminal() {
            return log_download(&progress, &logged);
        }
        let mut current = current.borrow_mut();
        if current
            .as_ref()
            .is_none_or(|(file, _)| file != progress.file)
        {
            let bar = bar("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
            bar.set_message(progress.file.to_owned());
            *current = Some((progress.file.to_owned(), bar));
        }
        if let Some((_, bar)) = &*current {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.done_bytes);
        }
    }
}

fn log_download(progress: &model::Progress<'_>, logged: &Mutex<Instant>) {
    let model::Progress {
        file,
        done_bytes,
        total_bytes,
    } = *progress;
    let mut logged = logged.lock().unwrap_or_else(PoisonError::into_inner);
    if done_bytes == total_bytes || logged.elapsed() >= LOG_INTERVAL {
        *logged = Instant::now();
        info!(file, done_bytes, total_bytes, "downloading");
    }
}

/// Shows how many of `count` are done.
pub(super) fn counting(what: &'static str, count: usize) -> ProgressBar {
    let bar = bar("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}");
    bar.set_length(count as u64);
    bar.with_message(what)
}

/// Shows how far a first scan is.
pub(super) struct IndexBar {
    bar: ProgressBar,
}

impl IndexBar {
    pub(super) fn new() -> IndexBar {
        IndexBar {
            bar: bar("indexing {wide_bar} {pos}/{len} {per_sec} {eta} {msg}"),
        }
    }

    pub(super) fn show(&self, progress: &Progress) {
        let report = progress.report();
        let done = report.indexed + report.failed;
        self.bar.set_length((done + report.queued) as u64);
        self.bar.set_position(done as u64);
        if report.failed > 0 {
            self.bar.set_message(format!("{} failed", report.failed));
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
