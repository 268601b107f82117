//! How many pictures a second does a folder take to become searchable and tagged, and how near is that to what its stages
//! allow?
//!
//! `cargo bench --bench ingest -- FOLDER [--model MODEL] [--decode-threads N] [--batch-size N] [--json]`
//!
//! Runs what `pixdex index` runs, into a new library. The time that each stage's threads spend computing gives the bound:
//! pictures a second if all cores did nothing but this work. Linux only, since it reads `/proc`.

mod memory;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use pixdex::config::Config;
use pixdex::ingest::index_once;
use pixdex::library::{Library, without_graph};
use pixdex::stop::Stop;
use serde_json::json;
use toml::Value;

use memory::memory_mib;

/// Names of the threads of each stage, as Linux cuts them.
const STAGES: [(&str, &[&str]); 3] = [
    ("decode", &["decode"]),
    ("embed", &["embed", "image embedding"]),
    ("write", &["write"]),
];

/// Time spent computing, by thread.
#[derive(Default)]
struct Spent(HashMap<String, (String, f64)>);

impl Spent {
    /// Reads the clocks of all threads; of one that has ended the last reading counts.
    fn read(&mut self) -> Result<()> {
        for task in std::fs::read_dir("/proc/self/task").context("no /proc")? {
            let task = task?.path();
            let (name, clock) = (
                std::fs::read_to_string(task.join("comm")),
                std::fs::read_to_string(task.join("schedstat")),
            );
            if let (Ok(name), Ok(clock)) = (name, clock) {
                let computing_ns: f64 = clock.split(' ').next().context("no schedstat")?.parse()?;
                self.0.insert(
                    task.display().to_string(),
                    (name.trim_end().to_owned(), computing_ns / 1e6),
                );
            }
        }
        Ok(())
    }

    fn of(&self, threads: &[&str]) -> f64 {
        self.0
            .values()
            .filter(|(name, _)| threads.contains(&name.as_str()))
            .map(|(_, ms)| ms)
            .sum()
    }
}

fn main() -> Result<()> {
    let (folder, flags, json) = arguments()?;
    let library = tempfile::tempdir()?;
    let data_dir = Value::String(library.path().display().to_string());
    let flags = flags
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()))
        .chain([("data_dir", data_dir)])
        .collect();
    let config = without_graph(&Config::load(None, std::iter::empty(), flags)?);
    let library = Library::open(&config, Stop::default(), &|_| {})?.library;
    let mut spent = Spent::default();
    let started = Instant::now();
    let progress = index_once(library, &[folder.canonicalize()?], |_| {
        drop(spent.read());
    })?
    .report();
    let seconds = started.elapsed().as_secs_f64();
    ensure!(progress.indexed > 0 && progress.failed == 0, "{progress:?}");

    let pictures = progress.indexed as f64;
    let stages: Vec<(&str, f64)> = STAGES
        .map(|(stage, threads)| (stage, spent.of(threads) / pictures))
        .to_vec();
    let core_ms: f64 = stages.iter().map(|(_, ms)| ms).sum();
    let cores = std::thread::available_parallelism()?.get() as f64;
    let (rate, bound) = (pictures / seconds, cores * 1e3 / core_ms);
    let peak_mib = memory_mib(std::process::id(), "VmHWM");
    if json {
        let stages: HashMap<_, _> = stages.into_iter().collect();
        println!(
            "{}",
            json!({ "pictures": pictures, "pictures_per_s": rate, "core_ms": stages,
            "bound_per_s": bound, "share_of_bound": rate / bound, "cores": cores, "peak_mib": peak_mib })
        );
    } else {
        println!(
            "{pictures} pictures, {rate:.1} a second, {:.0} % of the bound {bound:.1}",
            100.0 * rate / bound
        );
        for (stage, ms) in stages {
            println!("  {stage:7} {ms:7.2} core-ms a picture");
        }
        println!("  memory at most {:.0} MiB", peak_mib.unwrap_or_default());
    }
    Ok(())
}

type Flags = Vec<(String, Value)>;

fn arguments() -> Result<(PathBuf, Flags, bool)> {
    let (mut folder, mut json) = (None, false);
    let mut flags = vec![("model".to_owned(), Value::String("bundled".to_owned()))];
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut next = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            // From cargo.
            "--bench" => {}
            "--json" => json = true,
            "--model" => flags.push(("model".to_owned(), Value::String(next()?))),
            "--precision" => flags.push(("precision".to_owned(), Value::String(next()?))),
            "--decode-threads" => flags.push((
                "ingest.decode_threads".to_owned(),
                Value::Integer(next()?.parse()?),
            )),
            "--batch-size" => flags.push((
                "ingest.batch_size".to_owned(),
                Value::Integer(next()?.parse()?),
            )),
            _ => folder = Some(PathBuf::from(&word)),
        }
    }
    Ok((folder.context("name a folder of pictures")?, flags, json))
}
