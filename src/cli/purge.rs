//! `pixdex purge`: takes out what is known of pictures that are gone.

use anyhow::Result;
use clap::Args;

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::wire::{self, PurgeReport};

/// Take out for good what is known of pictures that are gone: rows, vectors, tags, keywords and thumbnails.
///
/// The daemon does so by itself once a day, with what has been gone for `keep_deleted_days`. What you decided about a picture
/// stays for ever.
#[derive(Debug, Args)]
pub(super) struct Purge {
    /// Gone for so many days at least; 0 for all that is gone [default: as configured]
    #[arg(long, value_name = "N")]
    older_than_days: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Purge {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let report = Backend::find(config)?.purge(wire::Purge {
            older_than_days: self.older_than_days,
        })?;
        output::print(&report, self.json, print)
    }
}

fn print(report: &PurgeReport) {
    let PurgeReport {
        files,
        images,
        models,
        thumbnails,
        freed_bytes,
    } = report;
    let freed_kb = freed_bytes / 1000;
    if *models > 0 {
        print_line!("{models} models purged that the library left long ago");
    }
    print_line!(
        "{files} files, {images} images and {thumbnails} thumbnails purged; the database is {freed_kb} kB smaller"
    );
}
