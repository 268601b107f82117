//! What commands write: one JSON document on standard output where that is asked for, progress on standard error.

use std::cell::RefCell;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use tracing::info;

use crate::ingest::Progress;
use crate::model;
use crate::shown::{error_text, shown};

/// All bars of the process; log lines are written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// How often progress is logged where nobody sees a bar.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Standard output: nobody may read it to the end, or it may have no room.
static OUT: Mutex<Out> = Mutex::new(Out { failure: None });

struct Out {
    /// What went wrong first; nothing is written behind it.
    failure: Option<io::Error>,
}

/// Writes a line of an answer in words. What a name in it would order the terminal to do is written out.
pub(super) fn print_line(line: std::fmt::Arguments<'_>) {
    let line = line.to_string();
    let mut out = OUT.lock().unwrap_or_else(PoisonError::into_inner);
    if out.failure.is_none() {
        out.failure = writeln!(io::stdout(), "{}", shown(&line)).err();
    }
}

/// What a command came to, once all that it said is written. Whoever reads may stop when he has seen enough, as `head` does;
/// everything else that went wrong with standard output is an error.
pub(super) fn finish(done: Result<()>) -> Result<()> {
    let flushed = io::stdout().flush().err();
    let failure = OUT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .failure
        .take();
    match failure.or(flushed) {
        Some(failure) if failure.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Some(failure) => Err(failure).context("failed to write to standard output"),
        None => done,
    }
}

/// Standard output for what is written as it stands.
pub(super) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noted(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        noted(io::stdout().flush())
    }
}

/// Notes what went wrong for [`finish`].
fn noted<T>(done: io::Result<T>) -> io::Result<T> {
    done.map_err(|error| {
        let kind = error.kind();
        let text = error.to_string();
        let mut out = OUT.lock().unwrap_or_else(PoisonError::into_inner);
        out.failure.get_or_insert(error);
        io::Error::new(kind, text)
    })
}

/// Tells what went wrong, in one line.
pub(super) fn tell(error: &anyhow::Error) {
    let text = error_text(error.as_ref());
    // With nobody to tell it to, the exit code says so.
    let _ = writeln!(io::stderr(), "error: {}", shown(&text));
}

/// Whether the terminal may be given colours.
pub(super) fn has_colours() -> bool {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let terminal = std::env::var_os("TERM");
    let can = terminal.is_some_and(|name| !name.is_empty() && name != "dumb");
    is_wanted && can && io::stderr().is_terminal()
}

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
    let mut out = BufWriter::new(Stdout);
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(out.flush()?)
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
            bar.set_message(shown(progress.file).into_owned());
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
