//! `pixdex doctor`: what on this machine stands in the way of pixdex, and what helps.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::kernels::{self, NumberFormat};
use crate::library;
use crate::model::{self, Languages, RECOMMENDED, for_all_languages};
use crate::pictures;
use crate::store::{Store, StoreError};
use crate::watch;

/// Less room is worth a word: a library of 100,000 pictures takes more than this.
const LITTLE_DISK_BYTES: u64 = 2 << 30;

/// With less, large pictures are decoded one after the other.
const LITTLE_MEMORY_BYTES: u64 = 2 << 30;

/// As many folders as a library of many years has.
const FEW_WATCHES: u64 = 65_536;

/// Connections, pictures and the database need them.
const FEW_FILES: u64 = 1_024;

/// No clock that is right shows an earlier time: the beginning of 2025, when there was no pixdex, in seconds since 1970.
const PAST_S: u64 = 1_735_689_600;

/// Look over this machine: model, device, memory, disk, watches, permissions, mounts; and say what helps.
///
/// Nothing is changed, nothing downloaded, and a running daemon is asked and left alone. Ends with an error where something is wrong.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Well,
    /// It works, and could work better.
    Note,
    Wrong,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    /// How it is.
    is: String,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    helps: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    findings: Vec<Finding>,
}

impl Finding {
    fn well(what: &'static str, is: impl Into<String>) -> Finding {
        Finding {
            what,
            state: State::Well,
            is: is.into(),
            helps: None,
        }
    }

    fn note(what: &'static str, is: impl Into<String>, helps: impl Into<String>) -> Finding {
        Finding {
            state: State::Note,
            helps: Some(helps.into()),
            ..Finding::well(what, is)
        }
    }

    fn wrong(what: &'static str, is: impl Into<String>, helps: impl Into<String>) -> Finding {
        Finding {
            state: State::Wrong,
            ..Finding::note(what, is, helps)
        }
    }
}

impl Doctor {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let folder = config.library_dir()?;
        let mut findings = vec![model_of(config), instructions(), memory(), clock()];
        findings.extend(language(config, |name| env::var(name).ok()));
        findings.extend(open_files());
        findings.extend(watches());
        findings.extend(room(&folder));
        findings.extend(place(&folder));
        findings.push(database(&folder));
        findings.push(daemon(config));
        findings.extend(folders(config));
        findings.extend(ffmpeg(config));
        findings.extend(access(config));
        let is_wrong = findings.iter().any(|finding| finding.state == State::Wrong);
        output::print(&Report { findings }, self.json, |report| {
            report.findings.iter().for_each(print);
        })?;
        ensure!(
            !is_wrong,
            "something stands in the way: see what is marked WRONG"
        );
        Ok(())
    }
}

fn print(finding: &Finding) {
    let state = match finding.state {
        State::Well => "well ",
        State::Note => "note ",
        State::Wrong => "WRONG",
    };
    print_line!("{state}  {:<13} {}", finding.what, finding.is);
    if let Some(helps) = &finding.helps {
        print_line!("{:21} {helps}", "");
    }
}

/// It is loaded where it is there; nothing is downloaded.
fn model_of(config: &Config) -> Finding {
    let name = &config.model;
    let is_here = name.parse().map(|source| model::is_here(&source));
    let embedder = match is_here {
        Err(error) => return Finding::wrong("model", error.to_string(), "write another --model"),
        Ok(false) => {
            let is = format!("{name} is not on this machine yet");
            return Finding::note(
                "model",
                is,
                "the first start downloads it, as does `pixdex model pull`",
            );
        }
        Ok(true) => library::load_model(name, config, None, &output::download()),
    };
    match embedder {
        Ok(embedder) => {
            let placement = embedder.placement();
            let is = format!(
                "{name} runs on {}, {}",
                placement.device(),
                placement.precision()
            );
            if name == "bundled" {
                let helps = "for photos take a model of the hub: leave --model out, or see `pixdex model list`";
                return Finding::note(
                    "model",
                    format!("{is}; it knows drawn pictures only"),
                    helps,
                );
            }
            Finding::well("model", is)
        }
        Err(error) => Finding::wrong(
            "model",
            format!("{error:#}"),
            "take another --model or --device, or `pixdex model pull` it anew",
        ),
    }
}

fn instructions() -> Finding {
    let widest = kernels::widest();
    if NumberFormat::Int16.is_available() {
        return Finding::well("processor", format!("{widest}, and 16-bit integers (VNNI)"));
    }
    Finding::note(
        "processor",
        format!("{widest}; no AVX512-VNNI"),
        "pictures are embedded in 32-bit numbers, which takes about twice the time",
    )
}

fn memory() -> Finding {
    let Some(bytes) = pictures::memory_bytes() else {
        return Finding::well("memory", "the system does not tell how much there is");
    };
    let is = format!("{} MiB for pixdex and what shares its limits", bytes >> 20);
    if bytes < LITTLE_MEMORY_BYTES {
        let helps = "large pictures are decoded one by one; decode.memory_bytes says how much that may take";
        return Finding::note("memory", is, helps);
    }
    Finding::well("memory", is)
}

/// Whether the model reads the language of who uses this machine, where both are known.
fn language(config: &Config, variable: impl Fn(&str) -> Option<String>) -> Option<Finding> {
    // In the order in which the C library looks at them.
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].map(variable);
    let locale = locale
        .into_iter()
        .flatten()
        .find(|locale| !locale.is_empty())?;
    let language = locale.split(['_', '.', '@']).next()?;
    if ["C", "POSIX", "en"].contains(&language) {
        return None;
    }
    let name = config.model.split('@').next();
    let model = RECOMMENDED.iter().find(|model| Some(model.name) == name)?;
    Some(match model.languages {
        Languages::English => {
            let other = for_all_languages()?;
            let is = format!(
                "{} reads English, and this machine speaks `{language}`",
                model.name
            );
            let helps = format!(
                "`--model {}` reads {}; `pixdex model list` says how fast it is here, and has others",
                other.name, other.languages
            );
            Finding::note("language", is, helps)
        }
        Languages::Many(_) => Finding::well(
            "language",
            format!("{} reads {}", model.name, model.languages),
        ),
    })
}

fn clock() -> Finding {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    match since_1970 {
        Ok(since) if since.as_secs() >= PAST_S => {
            Finding::well("clock", "it is later than this program")
        }
        _ => Finding::wrong(
            "clock",
            "it shows a time before this program was made",
            "set it: what is decided and deleted is kept by it",
        ),
    }
}

#[cfg(unix)]
fn open_files() -> Option<Finding> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    let is = format!("{limit} at once");
    if limit < FEW_FILES {
        let helps = "raise it: `ulimit -n 8192`, or LimitNOFILE= in a unit of systemd";
        return Some(Finding::note("open files", is, helps));
    }
    Some(Finding::well("open files", is))
}

#[cfg(not(unix))]
fn open_files() -> Option<Finding> {
    None
}

/// Only Linux bounds them so.
fn watches() -> Option<Finding> {
    let text = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok()?;
    let count: u64 = text.trim().parse().ok()?;
    let is = format!("{count} folders can be watched");
    if count < FEW_WATCHES {
        let helps = "`sudo sysctl fs.inotify.max_user_watches=1048576`; what is not watched is compared every minute";
        return Some(Finding::note("watches", is, helps));
    }
    Some(Finding::well("watches", is))
}

#[cfg(unix)]
fn room(folder: &Path) -> Option<Finding> {
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
    let is = format!("{} MiB free for the library", free_bytes >> 20);
    if free_bytes < LITTLE_DISK_BYTES {
        let helps = "100,000 pictures take 0.5 GiB, and their thumbnails 3 GiB: put it elsewhere with --data-dir";
        return Some(Finding::note("disk", is, helps));
    }
    Some(Finding::well("disk", is))
}

#[cfg(not(unix))]
fn room(_folder: &Path) -> Option<Finding> {
    None
}

/// Where the library lies: whether it can be written, and whether others can look into it.
fn place(folder: &Path) -> Vec<Finding> {
    let shown = folder.display();
    if !folder.is_dir() {
        return vec![Finding::well(
            "library",
            format!("none yet: it will be made in {shown}"),
        )];
    }
    let mut findings = Vec::new();
    if let Some(kind) = watch::silent_file_system(folder) {
        findings.push(Finding::wrong(
            "library",
            format!("{shown} lies on a network drive ({kind})"),
            "a database needs locks that hold: put it on a disk of this machine with --data-dir; pictures may lie anywhere",
        ));
    }
    match tempfile::tempfile_in(folder) {
        Ok(_) => findings.push(Finding::well("library", format!("{shown} can be written"))),
        Err(error) => findings.push(Finding::wrong(
            "library",
            format!("{shown} cannot be written: {error}"),
            "give it to the user that pixdex runs as: `chown -R USER`",
        )),
    }
    #[cfg(unix)]
    if let Ok(about) = folder.metadata() {
        use std::os::unix::fs::PermissionsExt;
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let is = format!("other users of this machine may look into {shown} ({mode:o})");
            findings.push(Finding::note(
                "permissions",
                is,
                format!("`chmod 700 {shown}`"),
            ));
        }
    }
    findings
}

fn database(folder: &Path) -> Finding {
    match Store::open_existing(folder).and_then(|store| store.image_count()) {
        Ok(images) => Finding::well(
            "database",
            format!("{images} images; `pixdex check` looks at all of it"),
        ),
        Err(StoreError::NoLibrary(_)) => Finding::well("database", "none yet"),
        Err(error) => Finding::wrong("database", error.to_string(), "`pixdex check` says more"),
    }
}

fn daemon(config: &Config) -> Finding {
    let none = || Finding::well("daemon", "none runs on this library");
    let Ok(backend) = Backend::find(config) else {
        return none();
    };
    let Some(url) = backend.daemon() else {
        return none();
    };
    match backend.status() {
        Ok(status) => {
            let version = &status.version;
            let is = format!("{version} answers at {url}");
            let ours = env!("CARGO_PKG_VERSION");
            if version != ours {
                return Finding::note(
                    "daemon",
                    is,
                    format!("this program is {ours}: start the daemon anew"),
                );
            }
            Finding::well("daemon", is)
        }
        Err(error) => Finding::wrong(
            "daemon",
            format!("{error:#}"),
            "its log says why; start it anew",
        ),
    }
}

/// The folders of pictures, and that of label files.
fn folders(config: &Config) -> Vec<Finding> {
    let roots = library::known_roots(config).unwrap_or_default();
    let roots = roots.iter().filter(|root| root.is_named());
    let labels = config.labels_folder().ok().filter(|folder| folder.exists());
    let pictures = roots.map(|root| ("pictures", root.path.as_path()));
    let all = pictures.chain(labels.as_deref().map(|folder| ("labels", folder)));
    all.map(|(what, folder)| looked_at(what, folder)).collect()
}

fn looked_at(what: &'static str, folder: &Path) -> Finding {
    let shown = folder.display();
    if let Err(error) = fs::read_dir(folder) {
        return Finding::wrong(
            what,
            format!("{shown} cannot be read: {error}"),
            "mount it, or let the user read it that pixdex runs as; `pixdex forget` if it never comes back",
        );
    }
    match watch::silent_file_system(folder) {
        Some(kind) => Finding::note(
            what,
            format!("{shown} lies on a network drive ({kind})"),
            "what changes there is seen after ingest.poll_interval_s, or at once by `POST /api/v1/rescan`",
        ),
        None => Finding::well(what, format!("{shown} can be read, and is watched")),
    }
}

fn ffmpeg(config: &Config) -> Option<Finding> {
    let program = config.decode.ffmpeg.as_str();
    if program.is_empty() {
        return None;
    }
    let mut version = Command::new(program);
    version
        .arg("-version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Some(match version.status() {
        Ok(status) if status.success() => Finding::well("ffmpeg", format!("{program} runs")),
        Ok(status) => Finding::wrong(
            "ffmpeg",
            format!("{program} ended with {status}"),
            "set decode.ffmpeg",
        ),
        Err(error) => Finding::wrong(
            "ffmpeg",
            format!("{program} cannot be run: {error}"),
            "set decode.ffmpeg",
        ),
    })
}

fn access(config: &Config) -> Option<Finding> {
    let http = &config.http;
    if http.allow_anonymous {
        let is = "whoever reaches the address may see every picture and change every tag";
        let helps = "`pixdex token add NAME` for each, and http.allow_anonymous = false";
        return Some(Finding::note("access", is, helps));
    }
    (!http.is_local()).then(|| Finding::well("access", "other machines need a token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_proposed_that_reads_the_language_of_the_machine() {
        let found = |model: &str, set: &[(&str, &str)]| {
            let mut config = Config::load(None, std::iter::empty(), vec![]).unwrap();
            config.model = model.to_owned();
            let value = |name: &str| {
                let found = set.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            language(&config, value).map(|finding| (finding.state, finding.helps))
        };
        let clip = "openai/clip-vit-base-patch32";
        let german = [("LANG", "de_AT.UTF-8")];
        let (state, helps) = found(clip, &german).unwrap();
        assert_eq!(state, State::Note);
        let helps = helps.unwrap();
        assert!(
            helps.contains("siglip2") && helps.contains("109 languages"),
            "{helps}"
        );
        let (state, _) = found("google/siglip2-base-patch16-224@main", &german).unwrap();
        assert_eq!(state, State::Well);
        for set in [
            &[][..],
            &[("LANG", "en_GB")],
            &[("LANG", "C.UTF-8")],
            &[("LC_ALL", "C"), ("LANG", "de")],
        ] {
            assert!(found(clip, set).is_none(), "{set:?}");
        }
        assert!(
            found("somebody/else", &german).is_none(),
            "nobody knows what it reads"
        );
    }
}
