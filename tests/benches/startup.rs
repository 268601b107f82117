//! How soon does the daemon answer on a library of a given size, how fast over HTTP, and in how much memory?
//!
//! `cargo bench --bench startup -- --images 100000 [--model FOLDER] [--json]`

mod made;
mod memory;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use pixdex::config::Config;
use pixdex::library;
use pixdex::store::Store;
use serde_json::Value;

use memory::memory_mib;

/// Text queries that are timed one after another.
const QUERIES: usize = 500;

/// Times that each other way of asking is timed.
const ASKED: usize = 15;

/// Tags of an image.
const TAGS_PER_IMAGE: usize = 3;

/// The longest wait for a state: a graph over a million images is half an hour of work.
const DEADLINE: Duration = Duration::from_hours(1);

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 100_000)]
    images: usize,
    /// A model folder, or `bundled`
    #[arg(long, default_value = "bundled")]
    model: String,
    #[arg(long)]
    json: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let (library, photos) = (folder.path().join("library"), folder.path().join("photos"));
    make_library(&arguments, &library, &photos)?;
    let prepare_s = {
        // The first run builds and saves the index, and learns that all files are as they were.
        let daemon = Daemon::start(&arguments, &library, &photos)?;
        let started = Instant::now();
        daemon.wait_until_idle()?;
        daemon.stop()?;
        started.elapsed().as_secs_f64()
    };
    let daemon = Daemon::start(&arguments, &library, &photos)?;
    let first_answer_s = daemon.first_answer_s;
    daemon.wait_until_idle()?;
    let idle_mib = daemon.memory_mib("VmRSS");
    let (mut latencies_ms, exact) = daemon.query()?;
    let report = serde_json::json!({
        "images": arguments.images,
        "prepare_s": prepare_s,
        "first_answer_s": first_answer_s,
        "http_text_query_p50_ms": made::quantile(&mut latencies_ms, 0.5),
        "http_text_query_p99_ms": made::quantile(&mut latencies_ms, 0.99),
        "exact": exact,
        "other_ways_p50_and_most_ms": daemon.ask_in_other_ways()?,
        "idle_memory_mib": idle_mib,
        "memory_after_search_mib": daemon.memory_mib("VmRSS"),
        "anonymous_memory_after_search_mib": daemon.memory_mib("RssAnon"),
        "peak_memory_mib": daemon.memory_mib("VmHWM"),
        "index": daemon.get("/api/v1/status")?["index"],
    });
    daemon.stop()?;
    if arguments.json {
        println!("{report}");
    } else {
        println!("{report:#}");
    }
    Ok(())
}

fn make_library(arguments: &Arguments, library: &Path, photos: &Path) -> Result<()> {
    let config = Config::load(None, std::iter::empty(), vec![("log", "warn".into())])?;
    let embedder = library::load_model(&arguments.model, &config, None, &|_| {})?;
    made::fill(&Store::open(library)?, photos, &embedder, arguments.images);
    make_labels(&library.join("labels"))
}

/// Sets that give each image a tag.
fn make_labels(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for set in 0..TAGS_PER_IMAGE {
        let label =
            |i: usize| format!("[[labels]]\nname = '{}'\n", made::description(10 * set + i));
        let labels: String = (0..10).map(label).collect();
        let file = folder.join(format!("made-{set}.toml"));
        std::fs::write(
            file,
            format!("mode = 'exclusive'\nthreshold = 0.001\n{labels}"),
        )?;
    }
    Ok(())
}

/// The real program over the made library.
struct Daemon {
    child: Child,
    agent: ureq::Agent,
    address: String,
    /// From the start of the process to the first answer to a text query.
    first_answer_s: f64,
}

impl Daemon {
    fn start(arguments: &Arguments, library: &Path, photos: &Path) -> Result<Daemon> {
        let started = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_pixdex"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--model",
                &arguments.model,
                "--data-dir",
            ])
            .arg(library)
            .arg(photos)
            .stderr(Stdio::piped())
            .spawn()?;
        let address = follow_log(&mut child)?;
        let mut daemon = Daemon {
            child,
            agent: ureq::Agent::new_with_defaults(),
            address,
            first_answer_s: 0.0,
        };
        daemon.get("/api/v1/search?q=the+first+question")?;
        daemon.first_answer_s = started.elapsed().as_secs_f64();
        Ok(daemon)
    }

    fn get(&self, path: &str) -> Result<Value> {
        let mut response = self
            .agent
            .get(format!("http://{}{path}", self.address))
            .call()?;
        Ok(serde_json::from_str(
            &response.body_mut().read_to_string()?,
        )?)
    }

    /// Waits until nothing is left to read and no graph is being built, twice in a row.
    fn wait_until_idle(&self) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        let mut idle_before = false;
        loop {
            let status = self.get("/api/v1/status")?;
            let unchanged = status["progress"]["unchanged"].as_u64();
            let is_idle = status["index"]["is_building"] == false
                && status["progress"]["queued"] == 0
                && unchanged >= status["images"].as_u64();
            if is_idle && idle_before {
                return Ok(());
            }
            idle_before = is_idle;
            ensure!(
                Instant::now() < deadline,
                "the daemon is not done: {status:#}"
            );
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// Times of text queries, each another text, in milliseconds; and whether the last answer was exact.
    fn query(&self) -> Result<(Vec<f64>, Value)> {
        let mut times = Vec::with_capacity(QUERIES);
        let mut exact = Value::Null;
        for i in 0..QUERIES {
            let text = format!("{} number {i}", made::description(i)).replace(' ', "+");
            let started = Instant::now();
            exact = self.get(&format!("/api/v1/search?q={text}"))?["exact"].clone();
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok((times, exact))
    }

    /// What is seldom asked and dear: each with its median and its longest time, in milliseconds.
    fn ask_in_other_ways(&self) -> Result<Value> {
        let first = self.get("/api/v1/search?q=a+red+dog&limit=20&strictness=0")?;
        let cursor = first["cursor"].as_str().context("there is a second page")?;
        let image = first["items"][0]["id"].as_str().context("there is a hit")?;
        let tags = self.get("/api/v1/tags")?;
        let tag = &tags["tags"][0];
        let (set, label) = (tag["set"].as_str(), tag["label"].as_str());
        let (Some(set), Some(label)) = (set, label) else {
            anyhow::bail!("there are no tags");
        };
        let ways = [
            ("file_name", "search?q=0000123.jpg".to_owned()),
            (
                "tag",
                format!(
                    "search?q=a+red+dog&tag={}",
                    format!("{set}/{label}").replace(' ', "+")
                ),
            ),
            ("facets", "search?q=a+red+dog&facets=true".to_owned()),
            (
                "facets_of_all",
                format!("search?similar={image}&facets=true"),
            ),
            (
                "second_page",
                format!("search?q=a+red+dog&limit=20&strictness=0&cursor={cursor}"),
            ),
            ("similar", format!("search?similar={image}")),
            (
                "folder_of_a_thousand",
                "search?q=a+red+dog+path:0007".to_owned(),
            ),
            (
                "filter_that_all_pass",
                "search?q=a+red+dog+width:10..".to_owned(),
            ),
            ("newest_first", "images?limit=100".to_owned()),
            ("tags", "tags".to_owned()),
        ];
        let mut report = serde_json::Map::new();
        report.insert("images_with_tag".to_owned(), tag["count"].clone());
        for (name, path) in ways {
            report.insert(name.to_owned(), self.times(&path, ASKED)?);
        }
        report.insert("duplicates".to_owned(), self.times("duplicates", 1)?);
        Ok(report.into())
    }

    fn times(&self, path: &str, count: usize) -> Result<Value> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            self.get(&format!("/api/v1/{path}"))?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok([0.5, 1.0]
            .map(|share| made::quantile(&mut times, share))
            .into_iter()
            .collect())
    }

    fn memory_mib(&self, name: &str) -> Option<f64> {
        memory_mib(self.child.id(), name)
    }

    fn stop(mut self) -> Result<()> {
        let told = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        ensure!(told.success(), "the daemon could not be told to stop");
        let status = self.child.wait()?;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }
}

/// Reads the log to the address, and goes on reading in the background so that the daemon never waits for a reader.
fn follow_log(child: &mut Child) -> Result<String> {
    let mut lines = BufReader::new(child.stderr.take().context("the log is piped")?).lines();
    let mut seen = Vec::new();
    for line in lines.by_ref().map_while(Result::ok) {
        if let Some(rest) = line.split("listening address=").nth(1) {
            let address = rest.split(' ').next().unwrap_or_default().to_owned();
            thread::spawn(move || lines.for_each(drop));
            return Ok(address);
        }
        seen.push(line);
    }
    anyhow::bail!("the daemon ended before it listened:\n{}", seen.join("\n"))
}
