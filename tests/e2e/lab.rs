//! A place to try pixdex in: folders of its own, the real executable, and waiting for a state with a deadline.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

/// The longest wait for anything; reached only by a test that fails.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A small set whose labels every picture of the drawn world meets or does not.
pub(crate) const COLOURS: &str = "
mode = 'exclusive'
threshold = 0.3
templates = ['something {label}']
[[labels]]
name = 'red'
[[labels]]
name = 'blue'
";

pub(crate) struct Lab {
    folder: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        let lab = Lab {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in [lab.photos(), lab.labels()] {
            std::fs::create_dir_all(folder).unwrap();
        }
        lab
    }

    pub(crate) fn photos(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("photos")
    }

    pub(crate) fn labels(&self) -> PathBuf {
        self.folder.path().join("labels")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("library")
    }

    pub(crate) fn photo(&self, name: &str) -> PathBuf {
        self.photos().join(name)
    }

    /// Writes a picture of its own for each `seed`.
    pub(crate) fn add(&self, name: &str, seed: u32) -> PathBuf {
        let path = self.photo(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, picture(seed)).unwrap();
        path
    }

    pub(crate) fn write_labels(&self, name: &str, text: &str) {
        std::fs::write(self.labels().join(format!("{name}.toml")), text).unwrap();
    }

    /// A command on this library.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pixdex"));
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(self.data())
            .env("PIXDEX_MODEL", "bundled");
        command.arg("--labels").arg(self.labels());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed and print one JSON document.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn index(&self) -> Value {
        self.json(&["index", self.photos().to_str().unwrap()])
    }

    /// Starts the daemon on the photos and waits until it answers.
    pub(crate) fn serve(&self) -> Daemon {
        Daemon::start(self.serving(&self.photos()))
    }

    /// A folder with the bundled model in which `change` was made to some weights.
    pub(crate) fn model(
        &self,
        name: &str,
        weights: &[&str],
        change: impl Fn(Weight<'_>),
    ) -> PathBuf {
        let folder = self.folder.path().join(name);
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model/bundled");
        std::fs::create_dir_all(&folder).unwrap();
        for entry in std::fs::read_dir(bundled).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }
        let path = folder.join("model.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        let header_bytes = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..8 + header_bytes]).unwrap();
        for name in weights {
            let number = |of: &Value| of.as_u64().unwrap() as usize;
            let tensor = &header[*name];
            let [start, end] = [0, 1].map(|at| number(&tensor["data_offsets"][at]));
            change(Weight {
                dtype: tensor["dtype"].as_str().unwrap(),
                rows: number(&tensor["shape"][0]),
                bytes: &mut bytes[8 + header_bytes..][start..end],
            });
        }
        std::fs::write(&path, bytes).unwrap();
        folder
    }

    /// A model that understands what the bundled one does, and embeds it otherwise: the numbers of each embedding come in another
    /// order.
    pub(crate) fn other_model(&self) -> PathBuf {
        let projections = ["visual_projection.weight", "text_projection.weight"];
        self.model("other", &projections, |weight| {
            let row_bytes = weight.bytes.len() / weight.rows;
            let rows: Vec<Vec<u8>> = weight
                .bytes
                .chunks_exact(row_bytes)
                .map(<[u8]>::to_vec)
                .collect();
            let backwards = rows.into_iter().rev();
            for (place, row) in weight.bytes.chunks_exact_mut(row_bytes).zip(backwards) {
                place.copy_from_slice(&row);
            }
        })
    }

    /// The command that serves a folder.
    pub(crate) fn serving(&self, root: &Path) -> Command {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.arg(root).env("PIXDEX_INGEST__SETTLE_MS", "300");
        command
    }
}

/// A weight of a model.
pub(crate) struct Weight<'a> {
    pub(crate) dtype: &'a str,
    pub(crate) rows: usize,
    pub(crate) bytes: &'a mut [u8],
}

/// The same command, run by another program: its name and arguments.
pub(crate) fn run_by(runner: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(runner[0]);
    outer.args(&runner[1..]).arg(command.get_program());
    outer.args(command.get_args());
    for (name, value) in command.get_envs() {
        outer.env(name, value.unwrap_or_default());
    }
    outer
}

/// Bytes of a small PNG that no other seed has.
pub(crate) fn picture(seed: u32) -> Vec<u8> {
    let colour = |x: u32, y: u32| Rgb([(x * 4) as u8, (y * 4) as u8, (seed * 37 + x * y) as u8]);
    let mut image = RgbImage::from_fn(64, 48, colour);
    image.put_pixel(
        0,
        0,
        Rgb([(seed >> 16) as u8, (seed >> 8) as u8, seed as u8]),
    );
    encode(&image, image::ImageFormat::Png)
}

pub(crate) fn jpeg(seed: u32) -> Vec<u8> {
    let noise = |x: u32, y: u32| {
        (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729) ^ seed.wrapping_mul(31)) as u8
    };
    encode(
        &RgbImage::from_fn(320, 240, |x, y| Rgb([noise(x, y), x as u8, y as u8])),
        image::ImageFormat::Jpeg,
    )
}

fn encode(image: &RgbImage, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: String,
    log: Receiver<String>,
}

impl Daemon {
    /// The most memory that was resident, in kilobytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn start(command: Command) -> Daemon {
        let daemon = Daemon::start_closed(command);
        daemon.wait_until(|daemon| daemon.get("/health/ready").0 == 200);
        daemon
    }

    /// One that may not let the test in.
    pub(crate) fn start_closed(command: Command) -> Daemon {
        let daemon = Daemon::spawn(command);
        let line = daemon.wait_for_log("listening address=");
        daemon.at(&line)
    }

    /// A daemon that may end before it answers.
    pub(crate) fn try_start(command: Command) -> Option<Daemon> {
        let daemon = Daemon::spawn(command);
        let line = daemon
            .log
            .iter()
            .find(|line| line.contains("listening address="))?;
        Some(daemon.at(&line))
    }

    fn spawn(mut command: Command) -> Daemon {
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log = follow(child.stderr.take().unwrap());
        Daemon {
            child,
            address: String::new(),
            log,
        }
    }

    /// The line of the log says where it listens.
    fn at(mut self, line: &str) -> Daemon {
        let address = line.split("address=").nth(1).unwrap();
        address
            .split(' ')
            .next()
            .unwrap()
            .clone_into(&mut self.address);
        self
    }

    /// The next line of the log that holds `text`.
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        let mut seen = Vec::new();
        let deadline = Instant::now() + DEADLINE;
        while let Ok(line) = self
            .log
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
        panic!("no `{text}` in the log:\n{}", seen.join("\n"));
    }

    /// The lines of the log that nobody has asked for yet.
    pub(crate) fn rest_of_log(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Polls until `is_so` or the deadline.
    pub(crate) fn wait_until(&self, is_so: impl Fn(&Daemon) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so(self) {
            assert!(
                Instant::now() < deadline,
                "not so within {DEADLINE:?}; status: {:#}",
                self.get("/api/v1/status").1
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn wait_for_images(&self, count: usize) {
        self.wait_until(|daemon| {
            let status = daemon.get("/api/v1/status").1;
            status["images"] == count && status["progress"]["queued"] == 0
        });
    }

    /// Nothing waits for hooks: what was told and not written off is told again by the next daemon.
    pub(crate) fn wait_for_hooks(&self) {
        self.wait_until(|daemon| {
            let hooks = daemon.get("/api/v1/status").1["hooks"].clone();
            let mut hooks = hooks.as_object().unwrap().values();
            hooks.all(|hook| hook["waiting"] == 0)
        });
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, Value) {
        let (status, bytes) = self.bytes(method, path, headers, body);
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    pub(crate) fn bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, Vec<u8>) {
        let mut response = self.respond(method, path, headers, body);
        (
            response.status().as_u16(),
            response.body_mut().read_to_vec().unwrap(),
        )
    }

    /// The address of a script or a style of the page.
    pub(crate) fn page_file(&self, name: &str) -> String {
        let page = String::from_utf8(self.bytes("GET", "/", &[], "").1).unwrap();
        let addresses = page.split('"').filter(|text| text.starts_with("/ui/"));
        let mut files = addresses.filter(|address| address.ends_with(&format!("/{name}")));
        files.next().unwrap().to_owned()
    }

    /// The answer with its headers.
    pub(crate) fn respond(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> ureq::http::Response<ureq::Body> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(DEADLINE))
            .build();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // Without a type: bytes have none unless one is given.
        let request = request.body(body.as_bytes().to_vec()).unwrap();
        let response = ureq::Agent::new_with_config(config).run(request);
        response.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// All images of the library, by path.
    pub(crate) fn images(&self) -> Vec<Value> {
        self.get("/api/v1/images?limit=1000").1["items"]
            .as_array()
            .unwrap()
            .clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        let images = self.images();
        let paths = images
            .iter()
            .flat_map(|image| image["paths"].as_array().unwrap());
        let mut paths: Vec<String> = paths
            .map(|path| path.as_str().unwrap().to_owned())
            .collect();
        paths.sort();
        paths
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the daemon does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(stderr: ChildStderr) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        BufReader::new(stderr)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    lines
}

/// The pictures of the demo with what they show.
pub(crate) fn demo_library(folder: &Path) -> Vec<pixdex::demo::Picture> {
    pixdex::demo::write_library(folder, |_| {}).unwrap()
}

/// The same daemon, with no more files open at once than these.
#[cfg(unix)]
pub(crate) fn limited(lab: &Lab, serve: &Command, files: u32) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")])
        .arg(serve.get_program())
        .args(serve.get_args())
        .arg(lab.photos())
        .envs(
            serve
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PIXDEX_INGEST__SETTLE_MS", "300");
    command
}
