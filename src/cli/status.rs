//! `pixdex status`: how the library stands.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::library::{self, Library};
use super::output;
use crate::config::Config;
use crate::store::Store;

/// Show how the library stands.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let answer = match Library::find(config)? {
            Library::Daemon(address) => {
                let mut answer = library::ask(&address, "status", &[])?;
                answer["daemon"] = json!(format!("http://{address}"));
                answer
            }
            Library::Own(store) => own_status(&store)?,
        };
        if self.json {
            output::print_json(&answer)
        } else {
            print(&answer)
        }
    }
}

/// What is known without a daemon.
fn own_status(store: &Store) -> Result<Value> {
    let files: BTreeMap<String, i64> = store.file_counts()?.into_iter().collect();
    let roots = store.roots()?.into_iter();
    let roots: Vec<Value> = roots
        .map(|root| json!({ "path": root.path.display().to_string(), "online": root.online }))
        .collect();
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "daemon": null,
        "model": { "name": store.fact("model")? },
        "images": store.image_count()?,
        "files": files,
        "roots": roots,
        "hooks": store.hooks()?,
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "the other way to print can fail")]
fn print(answer: &Value) -> Result<()> {
    println!("images    {}", answer["images"]);
    println!(
        "model     {}",
        answer["model"]["name"].as_str().unwrap_or("none yet")
    );
    println!(
        "daemon    {}",
        answer["daemon"].as_str().unwrap_or("not running")
    );
    for (state, count) in answer["files"].as_object().into_iter().flatten() {
        println!("files     {count} {state}");
    }
    for kind in ["text", "image"] {
        let measured = &answer["index"][kind];
        if let (Some(recall), Some(way)) = (measured["recall"].as_f64(), measured["way"].as_str()) {
            let ef_search = &measured["ef_search"];
            let [graph_us, scan_us] =
                ["graph_us", "scan_us"].map(|key| measured[key].as_f64().unwrap_or_default());
            println!(
                "index     {kind} queries take the {way}: recall {recall:.3} at ef_search {ef_search}, \
                 {graph_us:.0} us for the graph, {scan_us:.0} us for a scan"
            );
        }
    }
    for root in answer["roots"].as_array().into_iter().flatten() {
        let state = if root["online"] == true {
            ""
        } else {
            "  (offline)"
        };
        println!(
            "folder    {}{state}",
            root["path"].as_str().unwrap_or_default()
        );
    }
    for (set, status) in answer["label_sets"].as_object().into_iter().flatten() {
        let error = status["error"]
            .as_str()
            .map(|error| format!("  BROKEN: {error}"))
            .unwrap_or_default();
        println!("labels    {set}: {}{error}", status["labels"]);
        for warning in status["warnings"].as_array().into_iter().flatten() {
            println!("          {}", warning.as_str().unwrap_or_default());
        }
    }
    for (hook, status) in answer["hooks"].as_object().into_iter().flatten() {
        print_hook(hook, status);
    }
    Ok(())
}

fn print_hook(hook: &str, status: &Value) {
    let [waiting, delivered, dropped, given_up] =
        ["waiting", "delivered", "dropped", "given_up"].map(|key| &status[key]);
    let undeclared = if status["declared"] == false {
        "  (not in the configuration)"
    } else {
        ""
    };
    println!(
        "hook      {hook}: {waiting} waiting, {delivered} delivered, {dropped} dropped, {given_up} given up{undeclared}"
    );
    for (key, what) in [("error", "FAILING"), ("given_up_for", "given up for")] {
        if let Some(reason) = status[key].as_str() {
            println!("          {what}: {reason}");
        }
    }
}
