//! `pixdex status`: how the library stands.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::pictures::Bytes;
use crate::wire::{
    self, DecodingStatus, HookStatus, LabelSetStatus, ReembeddingReport, RootStatus, RunningStatus,
    Tuned, WatchNote, WatchReport, Way,
};

/// Show how the library stands.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    /// Where the daemon is found; none where none runs.
    daemon: Option<String>,
    #[serde(flatten)]
    status: wire::Status,
}

impl Status {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let backend = Backend::find(config)?;
        let report = Report {
            daemon: backend.daemon(),
            status: backend.status()?,
        };
        output::print(&report, self.json, print)
    }
}

fn print(report: &Report) {
    let status = &report.status;
    let model = status.model.name.as_deref();
    let daemon = report.daemon.as_deref();
    print_line!("images    {}", status.images);
    print_line!("model     {}", model.unwrap_or("none yet"));
    if let Some(next) = &status.model.next {
        print_next_model(next);
    }
    print_line!("daemon    {}", daemon.unwrap_or("not running"));
    for (state, count) in &status.files {
        print_line!("files     {count} {state}");
    }
    for group in &status.waiting {
        print_line!("          {} wait: {}", group.files, group.reason);
    }
    let progress = status.running.as_ref().map(|running| &running.progress);
    if let Some(trouble) = progress.and_then(|progress| progress.trouble.as_ref()) {
        print_line!(
            "          INDEXING PAUSES after {} attempts, the next one in {} s: {}",
            trouble.attempts,
            trouble.next_try_in_ms / 1000,
            trouble.reason
        );
    }
    if let Some(running) = &status.running {
        print_decoding(&running.decoding);
        print_index(running);
    }
    status.roots.iter().for_each(print_root);
    if let Some(running) = &status.running {
        print_watching(&running.watching);
    }
    if status.decisions_waiting > 0 {
        print_line!(
            "decisions {} are not in decisions.jsonl yet: it cannot be written, see the log",
            status.decisions_waiting
        );
    }
    let label_sets = status
        .running
        .iter()
        .flat_map(|running| &running.label_sets);
    for (set, status) in label_sets {
        print_label_set(set, status);
    }
    for (hook, status) in &status.hooks {
        print_hook(hook, status);
    }
}

fn print_next_model(next: &ReembeddingReport) {
    let ReembeddingReport {
        name,
        images,
        embedded,
        left_s,
        trouble,
        ..
    } = next;
    let left = left_s.map_or_else(String::new, |left_s| format!(", {left_s} s left"));
    print_line!("          goes over to {name}: {embedded} of {images} embedded{left}");
    if let Some(trouble) = trouble {
        print_line!("          WAITS, to be tried again: {trouble}");
    }
}

fn print_decoding(decoding: &DecodingStatus) {
    let DecodingStatus {
        memory_bytes,
        in_use_bytes,
        waiting,
    } = *decoding;
    let (taken, all) = (Bytes(in_use_bytes), Bytes(memory_bytes));
    print_line!("decoding  {taken} of {all} taken, {waiting} pictures wait for memory");
}

fn print_index(running: &RunningStatus) {
    let tuning = running.index.tuning;
    for (kind, tuned) in [("text", tuning.text), ("image", tuning.image)] {
        let Some(tuned) = tuned else { continue };
        let Tuned {
            way,
            recall,
            ef_search,
            graph_us,
            scan_us,
            ..
        } = tuned;
        let way = match way {
            Way::Scan => "scan",
            Way::Graph => "graph",
        };
        print_line!(
            "index     {kind} queries take the {way}: recall {recall:.3} at ef_search {ef_search}, \
             {graph_us:.0} us for the graph, {scan_us:.0} us for a scan"
        );
    }
}

fn print_root(root: &RootStatus) {
    let state = if root.online { "" } else { "  (offline)" };
    print_line!("folder    {}{state}", root.path);
    if !root.watched {
        print_line!(
            "          not watched any more: `pixdex forget {}` takes its pictures out",
            root.path
        );
    }
}

fn print_watching(watching: &WatchReport) {
    let WatchReport {
        folders,
        unwatched,
        examples,
        polled,
        poll_interval_s,
    } = watching;
    let unwatched = match unwatched {
        0 => String::new(),
        count => format!(", {count} CANNOT BE WATCHED, such as:"),
    };
    print_line!("watching  {folders} folders{unwatched}");
    for WatchNote { path, reason } in examples {
        print_line!("          {path}: {reason}");
    }
    for WatchNote { path, reason } in polled {
        print_line!("          {path} is compared every {poll_interval_s} s: {reason}");
    }
}

fn print_label_set(set: &str, status: &LabelSetStatus) {
    let error = status.error.as_ref();
    let error = error.map_or(String::new(), |error| format!("  BROKEN: {error}"));
    print_line!("labels    {set}: {}{error}", status.labels);
    for warning in &status.warnings {
        print_line!("          {warning}");
    }
}

fn print_hook(hook: &str, status: &HookStatus) {
    let HookStatus {
        declared,
        waiting,
        delivered,
        dropped,
        given_up,
        error,
        given_up_for,
    } = status;
    let undeclared = if *declared {
        ""
    } else {
        "  (not in the configuration)"
    };
    print_line!(
        "hook      {hook}: {waiting} waiting, {delivered} delivered, {dropped} dropped, {given_up} given up{undeclared}"
    );
    for (reason, what) in [(error, "FAILING"), (given_up_for, "given up for")] {
        if let Some(reason) = reason {
            print_line!("          {what}: {reason}");
        }
    }
}
