//! What the owner asked for: defaults, then a file, then the environment, then flags; checked once, unknown keys refused.
//!
//! `config/default.toml` is compiled in and *is* the defaults, so the commented file and the program cannot disagree.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::shown::toml_error_text;

/// The commented file that holds every key with its default.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

const ENVIRONMENT_PREFIX: &str = "PIXDEX_";

/// Everything that can be set, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The library's folder; see [`Config::library_dir`].
    pub data_dir: PathBuf,
    /// `bundled`, a hub name or a folder.
    pub model: String,
    /// Where the model runs.
    pub device: Device,
    /// Number format of the model.
    pub precision: Precision,
    /// The folder of label sets; see [`Config::labels_folder`].
    pub labels_dir: PathBuf,
    /// Days for which is kept what is known of pictures that are gone.
    pub keep_deleted_days: u32,
    /// How long embeddings of a model that the library has left are kept, in days.
    pub keep_model_days: u32,
    /// The pixdex that commands ask; empty for the one of this machine's library.
    pub server: String,
    /// What that one lets in.
    pub token: String,
    /// Filter of the log.
    pub log: String,
    /// How that is written.
    pub log_format: LogFormat,
    /// From a path to a stored image.
    pub ingest: IngestConfig,
    /// Limits on what is decoded.
    pub decode: DecodeConfig,
    /// Keywords beside pictures.
    pub sidecars: SidecarConfig,
    /// Nearest neighbours.
    pub index: IndexConfig,
    /// The HTTP server.
    pub http: HttpConfig,
    /// Who hears that an image gained a label, by the name that labels know it by.
    pub hooks: BTreeMap<String, HookConfig>,
    /// What is to be told of settings that mean nothing any more.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// Where the model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// A GPU that this build supports, else the CPU.
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA card; needs a build with the `cuda` feature.
    Cuda,
    /// An Apple GPU; needs a build with the `metal` feature.
    Metal,
}

/// Number format of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f16 on a GPU; on the CPU the fastest that keeps the model's embeddings: int16, or f32.
    Auto,
    /// 32-bit floating point, the reference.
    F32,
    /// 16-bit integers, close to f32 and faster; needs AVX512-VNNI.
    Int16,
    /// 8-bit integers, the fastest; moves embeddings visibly. Needs AVX512-VNNI.
    Int8,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON document a line.
    Json,
}

impl IngestConfig {
    /// Threads that read and decode.
    pub(crate) fn decoding_threads(&self) -> usize {
        match self.decode_threads {
            0 => thread::available_parallelism().map_or(2, usize::from),
            wanted => wanted,
        }
    }
}

/// From a path to a stored image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestConfig {
    /// Stillness after which a file is looked at, in milliseconds.
    pub settle_ms: u64,
    /// Pictures embedded together and written in one transaction.
    pub batch_size: usize,
    /// The longest that a picture waits for its batch to fill, in milliseconds.
    pub batch_wait_ms: u64,
    /// Threads that read and decode; 0 for one each core.
    pub decode_threads: usize,
    /// Time between two full comparisons of folders and library, in seconds.
    pub rescan_interval_s: u64,
    /// The same for folders whose changes are not told, such as network drives, and for label files, in seconds.
    pub poll_interval_s: u64,
    /// Names of files and folders that are never looked at, or `*.` and an ending of such names.
    pub exclude: Vec<String>,
    /// Whether links to files and folders are followed, also out of the watched folders.
    pub follow_links: bool,
    /// Share of a root's files that is not believed to be deleted when it goes at once, 0 to 1.
    pub suspect_share: f64,
    /// Files from which on that is so.
    pub suspect_files: usize,
    /// Time after which files that are missed are taken to be deleted, in days.
    pub keep_absent_days: u32,
}

/// Limits on what is decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodeConfig {
    /// Largest width times height.
    pub max_pixels: u64,
    /// Largest file.
    pub max_file_bytes: u64,
    /// Memory of all decoding in flight, files' bytes among it; 0 for a share of the machine's.
    pub memory_bytes: u64,
    /// Frames of a video that are looked at, at most.
    pub max_frames: usize,
    /// The program that decodes videos which pixdex does not; nothing for none.
    pub ffmpeg: String,
}

/// Keywords beside pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SidecarConfig {
    /// Whether tags are written, and into files of which names.
    pub write: SidecarNames,
}

/// Whether tags are written into sidecars, and how those are called that are not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SidecarNames {
    /// Nothing is written.
    Off,
    /// `photo.jpg.xmp`.
    Appended,
    /// `photo.xmp`.
    Replaced,
}

/// Nearest neighbours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexConfig {
    /// Images from which on the graph answers.
    pub hnsw_from: usize,
    /// The way that searches take.
    pub mode: IndexMode,
    /// The recall@10 that text queries must reach.
    pub target_recall_text: f64,
    /// The recall@10 that image queries must reach.
    pub target_recall_image: f64,
}

/// The way that searches take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexMode {
    /// The cheapest that reaches the target, as the index has measured.
    Auto,
    /// The graph, wherever there is one.
    Hnsw,
    /// The exact scan.
    Exact,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// A Unix socket to listen on too; empty for none.
    pub socket: PathBuf,
    /// Whether whoever asks from elsewhere without a token may do everything.
    pub allow_anonymous: bool,
    /// Whether whoever asks from this machine needs a token too.
    pub loopback_needs_token: bool,
    /// Further names in the `Host` header that are answered.
    pub hosts: Vec<String>,
    /// Sites whose pages may ask.
    pub origins: Vec<String>,
    /// Addresses of proxies that are believed who asks through them.
    pub trusted_proxies: Vec<Network>,
    /// Answers under way at once.
    pub max_requests: usize,
    /// Connections at once.
    pub max_connections: usize,
}

/// An address, or all that begin as one does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether the address is one of them.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.0.to_string()
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Network, String> {
        let one = text.parse::<IpAddr>().map(IpNet::from);
        let network = one.or_else(|_| text.parse());
        network.map(Network).map_err(|_| {
            format!("`{text}` is no address, as in `10.0.0.1`, and no network, as in `10.0.0.0/8`")
        })
    }
}

/// Who hears that an image gained a label: an address or a program, one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookConfig {
    /// Where the event is posted.
    pub url: Option<String>,
    /// The program, and its arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// The longest that one attempt may take, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// Events that may wait; more are dropped and counted.
    #[serde(default = "default_max_waiting")]
    pub max_waiting: usize,
    /// An event that has waited so long is given up after its next attempt, in seconds.
    #[serde(default = "default_give_up_after_s")]
    pub give_up_after_s: i64,
}

fn default_timeout_ms() -> u64 {
    10_000
}

fn default_max_waiting() -> usize {
    10_000
}

fn default_give_up_after_s() -> i64 {
    24 * 3600
}

impl HookConfig {
    fn check(&self, name: &str) -> Result<()> {
        match (&self.url, self.command.as_slice()) {
            (Some(url), []) => ensure!(
                url.starts_with("http://") || url.starts_with("https://"),
                "hooks.{name}.url must start with http:// or https://"
            ),
            (None, [_, ..]) => {}
            _ => bail!("hooks.{name} must have either `url` or `command`"),
        }
        ensure!(
            self.timeout_ms > 0 && self.max_waiting > 0,
            "hooks.{name}.timeout_ms and hooks.{name}.max_waiting must be at least 1"
        );
        Ok(())
    }
}

/// More frames of one video are not looked at: each takes as much room and time as a picture.
const MOST_FRAMES: usize = 256;

/// Settings of the release before, which mean nothing any more, and what takes their place. They are told and left out for one
/// release, and then refused as any unknown one.
const GONE: &[(&str, &str)] = &[(
    "http.allow_remote",
    "give other machines tokens with `pixdex token add NAME`, or set http.allow_anonymous",
)];

impl Config {
    /// Merges defaults, `file`, the variables in `environment` that start with `PIXDEX_`, and `flags`, then checks all.
    ///
    /// `flags` holds dotted keys (`http.listen`) with their values.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: Vec<(&str, Value)>,
    ) -> Result<Config> {
        let mut table: Table = DEFAULTS
            .parse()
            .context("the built-in defaults are not TOML. This is a bug.")?;
        let mut notes = Vec::new();
        if let Some(path) = file {
            let mut of_file = read_file(path)?;
            let place = path.display();
            notes.extend(GONE.iter().filter_map(|(key, instead)| {
                take(&mut of_file, key)?;
                Some(format!(
                    "`{key}` in `{place}` means nothing any more: {instead}"
                ))
            }));
            merge(&mut table, of_file);
        }
        for (key, value) in environment.filter_map(environment_setting) {
            if let Some((key, instead)) = GONE.iter().find(|(gone, _)| *gone == key) {
                notes.push(format!(
                    "`{key}` in the environment means nothing any more: {instead}"
                ));
                continue;
            }
            let value = like_default(&table, &key, value)?;
            set(&mut table, &key, value);
        }
        for (key, value) in flags {
            set(&mut table, key, value);
        }
        let wrong = |error: toml::de::Error| {
            let reason = error.to_string().trim().replace('\n', ", ");
            anyhow!("a setting is wrong: {reason}; config/default.toml lists them all")
        };
        let config: Config = table.try_into().map_err(wrong)?;
        config.check()?;
        Ok(Config { notes, ..config })
    }

    /// The library's folder: `data_dir`, or the user's data folder where that is empty.
    pub fn library_dir(&self) -> Result<PathBuf> {
        if self.data_dir.as_os_str().is_empty() {
            user_data_dir()
        } else {
            Ok(self.data_dir.clone())
        }
    }

    /// The folder of label sets: `labels_dir`, or `labels` in the library's folder where that is empty.
    pub fn labels_folder(&self) -> Result<PathBuf> {
        if self.labels_dir.as_os_str().is_empty() {
            return Ok(self.library_dir()?.join("labels"));
        }
        Ok(self.labels_dir.clone())
    }

    fn check(&self) -> Result<()> {
        ensure!(
            self.ingest.batch_size > 0,
            "ingest.batch_size must be at least 1"
        );
        ensure!(
            self.ingest.rescan_interval_s > 0 && self.ingest.poll_interval_s > 0,
            "ingest.rescan_interval_s and ingest.poll_interval_s must be at least 1"
        );
        ensure!(
            (0.0..=1.0).contains(&self.ingest.suspect_share),
            "ingest.suspect_share must be from 0 to 1"
        );
        ensure!(
            (1..=MOST_FRAMES).contains(&self.decode.max_frames),
            "decode.max_frames must be from 1 to {MOST_FRAMES}"
        );
        let targets = [
            self.index.target_recall_text,
            self.index.target_recall_image,
        ];
        ensure!(
            targets.iter().all(|target| (0.0..=1.0).contains(target)),
            "index.target_recall_text and index.target_recall_image must be from 0 to 1"
        );
        ensure!(
            self.http.max_requests > 0,
            "http.max_requests must be at least 1"
        );
        ensure!(
            self.http.max_connections > 0,
            "http.max_connections must be at least 1"
        );
        for (name, hook) in &self.hooks {
            hook.check(name)?;
        }
        let socket = &self.http.socket;
        ensure!(
            socket.as_os_str().is_empty() || socket.is_absolute(),
            "http.socket is `{}` and must be a whole path, as in `/run/pixdex/http.sock`",
            socket.display()
        );
        for origin in &self.http.origins {
            let site = origin.split_once("://").map(|(_, site)| site);
            ensure!(
                site.is_some_and(|site| !site.is_empty() && !site.contains('/')),
                "http.origins has `{origin}`: an origin is written as in `https://home.example:8123`"
            );
        }
        ensure!(
            self.server.is_empty()
                || ["http://", "https://"]
                    .iter()
                    .any(|scheme| self.server.starts_with(scheme)),
            "server is `{}` and must start with http:// or https://",
            self.server
        );
        Ok(())
    }
}

impl HttpConfig {
    /// Whether only this machine can reach the address that is listened on.
    pub fn is_local(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }
}

fn read_file(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read `{}`", path.display()))?;
    let wrong = |error: toml::de::Error| {
        let place = toml_error_text(&text, &error);
        anyhow!("`{}` is not TOML: {place}", path.display())
    };
    let mut table: Table = text.parse().map_err(wrong)?;
    resolve_paths(&mut table, path.parent().unwrap_or(Path::new(".")));
    Ok(table)
}

/// Relative folders in a file are meant from where the file lies.
fn resolve_paths(table: &mut Table, base: &Path) {
    for key in ["data_dir", "labels_dir"] {
        if let Some(Value::String(path)) = table.get_mut(key)
            && !path.is_empty()
        {
            *path = base.join(&*path).to_string_lossy().into_owned();
        }
    }
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

/// `PIXDEX_HTTP__LISTEN` means `http.listen`.
fn environment_setting((name, value): (String, String)) -> Option<(String, String)> {
    let key = name.strip_prefix(ENVIRONMENT_PREFIX)?;
    Some((key.to_lowercase().replace("__", "."), value))
}

/// Takes a dotted key out of a file's settings.
fn take(table: &mut Table, key: &str) -> Option<Value> {
    match key.split_once('.') {
        None => table.remove(key),
        Some((section, rest)) => take(table.get_mut(section)?.as_table_mut()?, rest),
    }
}

/// The environment knows only text: reads it as the type that the key's default has.
fn like_default(defaults: &Table, key: &str, text: String) -> Result<Value> {
    let default = key
        .split('.')
        .try_fold(Value::Table(defaults.clone()), |value, part| {
            value.get(part).cloned()
        });
    match default {
        Some(Value::String(_)) => Ok(Value::String(text)),
        Some(_) => format!("value = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut table| table.remove("value"))
            .with_context(|| format!("`{text}` in the environment is not a value for `{key}`")),
        None => {
            bail!("`{key}` in the environment is no setting; config/default.toml lists them all")
        }
    }
}

fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, rest)) => {
            if let Value::Table(inner) = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()))
            {
                set(inner, rest, value);
            }
        }
    }
}

/// The XDG base directory specification's data home, or its like on macOS and Windows.
fn user_data_dir() -> Result<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")))
    };
    let base =
        base.context("this user has no home folder: say where the library lives with --data-dir")?;
    Ok(base.join("pixdex"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(
        file: Option<&Path>,
        environment: &[(&str, &str)],
        flags: Vec<(&str, Value)>,
    ) -> Result<Config> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(file, environment, flags)
    }

    #[test]
    fn default_file_holds_every_key_with_a_comment() {
        let config = load(None, &[], vec![]).unwrap();
        let written: Table = Table::try_from(&config).unwrap();
        assert_eq!(
            written,
            DEFAULTS.parse::<Table>().unwrap(),
            "a key is missing in config/default.toml"
        );
        let lines: Vec<&str> = DEFAULTS.lines().collect();
        for pair in lines
            .windows(2)
            .filter(|pair| pair[1].contains(" = ") && !pair[1].starts_with('#'))
        {
            assert!(pair[0].starts_with("# "), "no comment above `{}`", pair[1]);
        }
    }

    #[test]
    fn later_sources_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pixdex.toml");
        std::fs::write(
            &file,
            "model = 'bundled'\ndata_dir = 'lib'\n[ingest]\nbatch_size = 4\nbatch_wait_ms = 100\n",
        )
        .unwrap();
        let environment = [
            ("PIXDEX_INGEST__BATCH_SIZE", "24"),
            ("PIXDEX_HTTP__LISTEN", "127.0.0.1:1"),
            ("HOME", "/x"),
        ];
        let flags = vec![("http.listen", Value::String("127.0.0.1:2".into()))];
        let config = load(Some(&file), &environment, flags).unwrap();
        assert_eq!(config.model, "bundled");
        assert_eq!(config.data_dir, folder.path().join("lib"));
        assert_eq!(config.ingest.batch_size, 24);
        assert_eq!(config.ingest.batch_wait_ms, 100);
        assert_eq!(config.http.listen.port(), 2);
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pixdex.toml");
        std::fs::write(&file, "[http]\nport = 1\n").unwrap();
        let error = format!("{:#}", load(Some(&file), &[], vec![]).unwrap_err());
        assert!(error.contains("port"), "{error}");
        let error = format!(
            "{:#}",
            load(None, &[("PIXDEX_MODLE", "x")], vec![]).unwrap_err()
        );
        assert!(error.contains("`modle`"), "{error}");
        let error = load(None, &[("PIXDEX_PRECISION", "bf16")], vec![]).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("bf16") && error.contains("`int16`"),
            "{error}"
        );
    }

    #[test]
    fn what_a_release_took_away_is_told_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pixdex.toml");
        std::fs::write(&file, "[http]\nallow_remote = true\nmax_requests = 3\n").unwrap();
        let config = load(
            Some(&file),
            &[("PIXDEX_HTTP__ALLOW_REMOTE", "true")],
            vec![],
        )
        .unwrap();
        assert_eq!(
            (config.http.max_requests, config.http.allow_anonymous),
            (3, false)
        );
        let [of_file, of_environment] = &config.notes[..] else {
            panic!("{:?}", config.notes);
        };
        assert!(of_file.contains("pixdex.toml") && of_file.contains("pixdex token add"));
        assert!(of_environment.contains("in the environment"));
        for (key, _) in GONE {
            let known = DEFAULTS.parse::<Table>().unwrap();
            assert!(
                like_default(&known, key, String::new()).is_err(),
                "{key} is a setting"
            );
        }
    }

    #[test]
    fn a_hook_is_an_address_or_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pixdex.toml");
        let hook = |keys: &str| {
            std::fs::write(&file, format!("[hooks.mail]\n{keys}")).unwrap();
            load(Some(&file), &[], vec![]).map(|mut config| config.hooks.remove("mail").unwrap())
        };
        let program = hook("command = ['mail', 'me']").unwrap();
        assert_eq!((program.timeout_ms, program.max_waiting), (10_000, 10_000));
        hook("url = 'https://example.org'\ntimeout_ms = 5").unwrap();
        let both = "url = 'http://localhost'\ncommand = ['mail']";
        for wrong in ["", both, "command = []", "url = 'example.org'"] {
            let error = hook(wrong).unwrap_err().to_string();
            assert!(error.contains("hooks.mail"), "{wrong}: {error}");
        }
    }

    /// The hooks of the page about labels, and the two ways to write sidecars.
    #[test]
    fn the_page_about_labels_shows_settings_that_load() {
        let page = include_str!("../config/labels/README.md");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pixdex.toml");
        let given = |text: &str| {
            std::fs::write(&file, text).unwrap();
            load(Some(&file), &[], vec![]).unwrap()
        };
        let section = page.split("## Hooks").nth(1).unwrap();
        let block = section.split("```toml").nth(1).unwrap();
        let hooks = given(block.split("```").next().unwrap()).hooks;
        let names: Vec<&str> = hooks.keys().map(String::as_str).collect();
        assert_eq!(names, ["home", "print"]);
        let section = page.split("## Keywords and sidecars").nth(1).unwrap();
        assert!(
            section.contains("`[sidecars] write = \"appended\"`")
                && section.contains("`\"replaced\"`")
        );
        for way in ["appended", "replaced"] {
            given(&format!("[sidecars]\nwrite = '{way}'"));
        }
    }

    #[test]
    fn sites_proxies_and_servers_are_written_as_they_are_meant() {
        let http = |key, value: &[&str]| {
            let values = value.iter().map(|text| Value::String((*text).to_owned()));
            load(None, &[], vec![(key, Value::Array(values.collect()))])
        };
        http("http.origins", &["https://home.example:8123"]).unwrap();
        for wrong in ["home.example", "https://", "https://home.example/page"] {
            let error = http("http.origins", &[wrong]).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        http("http.trusted_proxies", &["10.0.0.0/8", "::1"]).unwrap();
        assert!(http("http.trusted_proxies", &["proxy.example"]).is_err());
        let server = |text: &str| load(None, &[("PIXDEX_SERVER", text)], vec![]);
        server("https://photos.example/pixdex").unwrap();
        assert!(server("photos.example").is_err());
    }
}
