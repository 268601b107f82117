//! `pixdex check`: is what is stored what was stored?

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use super::output;
use crate::config::Config;
use crate::store::{Lock, Store};
use crate::upkeep::{self, Check as Finding};

/// Check the library: database, embeddings, index, thumbnails, decisions. Ends with an error where something is wrong.
///
/// What is wrong with the index, thumbnails or single embeddings also mends itself in time. A database that cannot be read any more
/// is made anew by --repair with what can be read of it, and with the decisions of its journal; what was there is moved aside.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Mend what can be mended; pixdex must not be running
    #[arg(long)]
    repair: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    checks: Vec<Finding>,
}

impl Check {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let folder = config.library_dir()?;
        let checks = if self.repair {
            let _lock = Lock::take(&folder)?;
            upkeep::repair(&folder)?
        } else {
            upkeep::check(&Store::open_existing(&folder)?, &folder, false)?
        };
        let is_bad = checks.iter().any(Finding::is_bad);
        output::print(&Report { checks }, self.json, |report| {
            report.checks.iter().for_each(print);
        })?;
        ensure!(
            !is_bad,
            "something is wrong with the library: `pixdex check --repair` mends what it can"
        );
        Ok(())
    }
}

fn print(check: &Finding) {
    let Finding {
        what,
        count,
        wrong,
        mended,
    } = check;
    let state = match (wrong.is_empty(), mended) {
        (true, None) => "well",
        (true, Some(note)) => note,
        (false, None) => "WRONG",
        (false, Some(_)) => "was wrong, and is mended",
    };
    print_line!("{what}: {count}, {state}");
    for wrong in wrong {
        print_line!("  {wrong}");
    }
    if let (false, Some(mended)) = (wrong.is_empty(), mended) {
        print_line!("  {mended}");
    }
}
