//! Builds the parts of a library, wires them, and stops them in order.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use crossbeam_channel::{Receiver, select};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::embed::{Embedder, Embedding, Placement};
use crate::hooks::Hooks;
use crate::index::{Index, IndexSetup};
use crate::ingest::{Ingest, Parts};
use crate::model::{HubSettings, Model, ModelSource, Progress};
use crate::search::Search;
use crate::serve::{self, Api};
use crate::sidecar::{Running, Sidecars};
use crate::store::{Lock, ModelId, Store};
use crate::tag::{DRAWN_SETS, LabelFile, PHOTO_SETS, Tagger};
use crate::watch::{Hint, Watch};

/// Texts such as people search for, one a line.
const QUERIES: &str = include_str!("../config/queries.txt");

/// The fact under which a library remembers the model it was last used with.
pub const MODEL_FACT: &str = "model";

/// The fact under which it remembers that model's fingerprint.
pub const FINGERPRINT_FACT: &str = "model fingerprint";

/// The longest wait for work under way when the daemon stops; what is not done then is pending, and done next time.
const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// A library that is open for writing: this process owns it.
#[derive(Debug)]
pub struct Library {
    /// Ownership.
    pub lock: Lock,
    /// Everything that pictures go through.
    pub parts: Parts,
}

impl Library {
    /// Takes the library of `config`, loads its model and its index, and brings its tags up to date.
    pub fn open(config: &Config, progress: &dyn Fn(Progress<'_>)) -> Result<Library> {
        let folder = config.library_dir()?;
        let lock = Lock::take(&folder)?;
        let store = Store::open(&folder)?;
        let embedder = load_model(&config.model, config, Some(&store), progress)?;
        let model = store.model(embedder.fingerprint(), embedder.name())?;
        store.set_fact(MODEL_FACT, embedder.name())?;
        store.set_fact(FINGERPRINT_FACT, embedder.fingerprint())?;
        let index = load_index(&folder, &store, model, &embedder, config)?;
        let labels = config.labels_folder()?;
        let is_ours = config.labels_dir.as_os_str().is_empty();
        prepare_labels(&labels, is_ours.then(|| starter_sets(&config.model)))?;
        Hooks::declare(&config.hooks, &store)?;
        let tagger = Tagger::new(
            labels,
            store.clone(),
            index.vectors().clone(),
            embedder.clone(),
        );
        tagger.sync()?;
        let (ingest, decode) = (config.ingest.clone(), config.decode.clone());
        let parts = Parts {
            store,
            embedder,
            model,
            index,
            tagger: Arc::new(tagger),
            ingest,
            decode,
        };
        Ok(Library { lock, parts })
    }
}

/// Opens a library for searching only, with the model that it was built with.
pub fn open_search(config: &Config, progress: &dyn Fn(Progress<'_>)) -> Result<Search> {
    let (store, index, embedder) = open_read_only(config, progress)?;
    Ok(Search::new(store, index, embedder, config.decode.clone()))
}

/// Opens a library for looking at what label sets would do to it, with the model that it was built with.
pub fn open_tagger(config: &Config, progress: &dyn Fn(Progress<'_>)) -> Result<Tagger> {
    let (store, index, embedder) = open_read_only(config, progress)?;
    let vectors = index.vectors().clone();
    Ok(Tagger::new(
        config.labels_folder()?,
        store,
        vectors,
        embedder,
    ))
}

fn open_read_only(
    config: &Config,
    progress: &dyn Fn(Progress<'_>),
) -> Result<(Store, Index, Embedder)> {
    let folder = config.library_dir()?;
    let store = Store::open_existing(&folder)?;
    let name = store
        .fact(MODEL_FACT)?
        .context("the library is empty: fill it with `pixdex index FOLDER`")?;
    let embedder = load_model(&name, config, Some(&store), progress)?;
    let model = store.model(embedder.fingerprint(), embedder.name())?;
    let index = load_index(&folder, &store, model, &embedder, &without_graph(config))?;
    Ok((store, index, embedder))
}

/// For a process that asks once or not at all: a scan is over long before a graph is built.
pub fn without_graph(config: &Config) -> Config {
    let mut config = config.clone();
    config.index.hnsw_from = usize::MAX;
    config
}

/// Loads a model by the name that its owner gave it. A library remembers how the model's self-check went, which takes
/// longer than the rest.
pub fn load_model(
    name: &str,
    config: &Config,
    library: Option<&Store>,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Embedder> {
    let source: ModelSource = name.parse()?;
    let placement = Placement::find(config.device, config.precision)?;
    let model = Model::open(&source, &HubSettings::from_env(), progress)?;
    let embedder = match library {
        Some(store) => load_checked(model, placement, store)?,
        None => Embedder::load(model, placement)?,
    };
    let (device, precision) = (
        embedder.placement().device(),
        embedder.placement().precision(),
    );
    info!(
        model = embedder.name(),
        device,
        precision,
        embedding_dim = embedder.embedding_dim(),
        "model loaded"
    );
    if source == ModelSource::Bundled {
        warn!(
            "the bundled model knows drawn pictures only; for photos take --model openai/clip-vit-base-patch32"
        );
    }
    Ok(embedder)
}

fn load_checked(model: Model, placement: Placement, store: &Store) -> Result<Embedder> {
    let fact = self_check_fact(&model, &placement);
    let known = store.fact(&fact)?.and_then(|cosine| cosine.parse().ok());
    let embedder = Embedder::load(model, placement.with_self_check(known))?;
    match embedder.placement().self_check_cosine() {
        Some(cosine) if known != Some(cosine) => store.set_fact(&fact, &cosine.to_string())?,
        _ => {}
    }
    Ok(embedder)
}

/// The name of a fact that holds for one model, one number format, and one release's arithmetic.
fn self_check_fact(model: &Model, placement: &Placement) -> String {
    let (precision, release) = (placement.precision(), env!("CARGO_PKG_VERSION"));
    format!("self-check {precision} {release} {}", model.fingerprint)
}

fn load_index(
    folder: &Path,
    store: &Store,
    model: ModelId,
    embedder: &Embedder,
    config: &Config,
) -> Result<Index> {
    let texts = embedder.clone();
    let setup = IndexSetup {
        folder: folder.join("index"),
        fingerprint: embedder.fingerprint().to_owned(),
        embedding_dim: embedder.embedding_dim(),
        texts: Box::new(move || sample_texts(&texts)),
    };
    let index = Index::open(setup, config.index.clone());
    index.load(store, model)?;
    Ok(index)
}

/// Embeddings of texts such as people search for. Without them the index measures with what was asked of late.
fn sample_texts(embedder: &Embedder) -> Vec<Embedding> {
    // One by one, so that a query waits for no more than one of them.
    let embed = |text: &str| {
        embedder
            .embed_texts(vec![text.to_owned()])
            .unwrap_or_default()
    };
    QUERIES.lines().flat_map(embed).collect()
}

fn starter_sets(model: &str) -> [LabelFile; 3] {
    if model == "bundled" {
        DRAWN_SETS
    } else {
        PHOTO_SETS
    }
}

/// A folder of our own starts with the sets that pixdex ships; one that the owner named must be there.
fn prepare_labels(folder: &Path, starters: Option<[LabelFile; 3]>) -> Result<()> {
    if let Some(files) = starters.filter(|_| !folder.exists()) {
        write_labels(folder, files)?;
    }
    ensure!(
        folder.is_dir(),
        "the labels folder `{}` does not exist",
        folder.display()
    );
    Ok(())
}

/// Makes a labels folder with these files.
pub fn write_labels(folder: &Path, files: [LabelFile; 3]) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("failed to make `{}`", folder.display()))?;
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    Ok(())
}

/// Makes folders absolute, and drops those that lie inside another.
pub fn resolve_roots(folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut roots = Vec::new();
    for folder in folders {
        let root = match folder.canonicalize() {
            // A drive that is not plugged in: its pictures stay in the library, offline.
            Err(error) if error.kind() == ErrorKind::NotFound => std::path::absolute(folder)?,
            root => root.with_context(|| format!("failed to look into `{}`", folder.display()))?,
        };
        ensure!(
            !root.is_file(),
            "`{}` is a file: name the folder it lies in",
            root.display()
        );
        roots.push(root);
    }
    roots.sort();
    roots.dedup_by(|inner, outer| inner.starts_with(&*outer));
    Ok(roots)
}

/// Refuses a library that lies where its own thumbnails would be watched and indexed. Hidden folders are not watched.
pub fn check_library_place(config: &Config, roots: &[PathBuf]) -> Result<()> {
    let library = std::path::absolute(config.library_dir()?)?;
    let is_hidden = |path: &Path| {
        path.iter()
            .any(|part| part.to_string_lossy().starts_with('.'))
    };
    let is_watched = |root: &&PathBuf| {
        library
            .strip_prefix(root)
            .is_ok_and(|inside| !is_hidden(inside))
    };
    match roots.iter().find(is_watched) {
        None => Ok(()),
        Some(root) => bail!(
            "the library `{}` lies inside the watched folder `{}`: put it elsewhere with --data-dir",
            library.display(),
            root.display()
        ),
    }
}

/// Runs the daemon until `stop` is cancelled.
pub async fn run(
    config: Config,
    folders: Vec<PathBuf>,
    listener: TcpListener,
    mut library: Library,
    stop: CancellationToken,
) -> Result<()> {
    let address = listener.local_addr()?.to_string();
    library
        .lock
        .announce(&address)
        .context("failed to write the lock file")?;
    let parts = library.parts.clone();
    let roots = roots_of(&parts.store, &folders)?;
    check_library_place(&config, &roots)?;
    watch_labels(Arc::clone(&parts.tagger), stop.clone())?;
    let hooks = Hooks::start(&config.hooks, &parts.store)?;
    let ingest = Ingest::start(parts.clone(), &roots)?;
    let sidecars = sidecars(&config, &parts).map(Sidecars::start).transpose()?;
    let api = Api::new(
        &config,
        parts.clone(),
        ingest.progress().clone(),
        ingest.rescans(),
        stop.clone(),
    )?;
    info!(%address, folders = roots.len(), images = parts.index.vectors().len(), "listening");
    serve::run(listener, api, stop).await;
    info!("stopping");
    parts.index.stop();
    let stopped = tokio::task::spawn_blocking(move || {
        hooks.stop();
        ingest.stop();
        sidecars.map(Running::stop)
    });
    if tokio::time::timeout(STOP_DEADLINE, stopped).await.is_err() {
        warn!("work under way took too long and is left for the next start");
    }
    Ok(())
}

/// What keeps sidecars up to date, where their owner wants them.
pub fn sidecars(config: &Config, parts: &Parts) -> Option<Sidecars> {
    let (store, tagger) = (parts.store.clone(), Arc::clone(&parts.tagger));
    Sidecars::new(store, tagger, config.sidecars.write)
}

/// The folders that were named, else those of earlier runs.
fn roots_of(store: &Store, folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut roots = resolve_roots(folders)?;
    if roots.is_empty() {
        roots = store.roots()?.into_iter().map(|root| root.path).collect();
    }
    ensure!(
        !roots.is_empty(),
        "no folder to watch: name one, as in `pixdex serve ~/Pictures`"
    );
    Ok(roots)
}

/// Brings the tags up to date whenever something changes in the labels folder or in what sets learn from, until `stop` is
/// cancelled.
fn watch_labels(tagger: Arc<Tagger>, stop: CancellationToken) -> Result<()> {
    let watch =
        Watch::start(&[tagger.folder().to_owned()], &[]).context("failed to watch label files")?;
    let follow = move || {
        // What changed before the watch began comes first.
        while !stop.is_cancelled() {
            if let Err(error) = tagger.sync() {
                error!(%error, "failed to bring the tags up to date, they stay as they are");
            }
            select! {
                recv(watch.hints()) -> hint => match hint {
                    Ok(hint) => wait_until_still(watch.hints(), hint),
                    Err(_) => return,
                },
                recv(tagger.news()) -> _ => std::thread::sleep(NEWS_WAIT),
            }
        }
    };
    std::thread::Builder::new()
        .name("labels".to_owned())
        .spawn(follow)?;
    Ok(())
}

/// Scoring a library again is work: pictures and decisions that come together are learned from together.
const NEWS_WAIT: Duration = Duration::from_millis(500);

/// Editors write a file in several steps: waits until it is closed, or still for a moment.
fn wait_until_still(hints: &Receiver<Hint>, mut last: Hint) {
    const STILL: Duration = Duration::from_millis(100);
    while !matches!(last, Hint::Path { is_final: true, .. }) {
        match hints.recv_timeout(STILL) {
            Ok(hint) => last = hint,
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Precision};

    #[test]
    fn a_library_remembers_a_self_check_that_was_passed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let placement = || Placement::find(config::Device::Cpu, Precision::Auto).unwrap();
        let model = || {
            let hub = HubSettings::from_env();
            Model::open(&ModelSource::Bundled, &hub, &|_| {}).unwrap()
        };
        if placement().precision() == "f32" {
            return; // Nothing to check on this processor.
        }
        let load = || load_checked(model(), placement(), &store).unwrap();
        let found = load().placement().self_check_cosine().unwrap();
        let fact = self_check_fact(&model(), &placement());
        assert_eq!(store.fact(&fact).unwrap(), Some(found.to_string()));

        store.set_fact(&fact, "0.99995").unwrap();
        assert_eq!(load().placement().self_check_cosine(), Some(0.99995));
        // Not good enough for `auto`, whoever found it: checked again.
        store.set_fact(&fact, "0.98").unwrap();
        assert_eq!(load().placement().self_check_cosine(), Some(found));
    }
}
