//! What a library is, and how it is opened: to be written by the one process that owns it, or only to be read.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tracing::{debug, info, warn};

use crate::config::{Config, IngestConfig, Precision};
use crate::embed::{Embedder, Embedding, PixelsMaker, Placement};
use crate::index::{self, Index, IndexSetup};
use crate::model::{HubSettings, Model, ModelSource, Progress};
use crate::pictures::{Bytes, Pictures};
use crate::search::Search;
use crate::stop::{Stop, Threads};
use crate::store::{
    Event, HookId, ImageId, JournalDifference, KnownModel, Lock, ModelId, Owner, Root, Store,
    StoreError,
};
use crate::tag::{self, TagError, Tagger};

/// Texts such as people search for, one a line.
const QUERIES: &str = include_str!("../config/queries.txt");

/// The folder in which a library remembers what is being decoded.
const READING: &str = "reading";

/// An open library. Cheap to clone: every clone is the same library, and the last one gives it back.
#[derive(Debug, Clone)]
pub struct Library {
    /// Where it lies.
    pub folder: PathBuf,
    /// The truth.
    pub store: Store,
    /// The model.
    pub embedder: Embedder,
    /// Its row in the store.
    pub model: ModelId,
    /// Kept up with the store.
    pub index: Index,
    /// The label sets.
    pub tagger: Arc<Tagger>,
    /// The configured hooks, in their order.
    pub hooks: Vec<HookId>,
    /// How pictures are taken in.
    pub ingest: IngestConfig,
    /// What decodes, for all who work on the library.
    pub pictures: Pictures,
    /// Ends whatever works on the library in the background.
    pub stop: Stop,
    /// Whatever works on it.
    pub threads: Threads,
    /// None where it is only read.
    lock: Option<Arc<Lock>>,
}

/// A library that is open, and the model that it is to go over to, where its owner has named another one.
#[derive(Debug)]
pub struct Opened {
    /// With the model that it is searched and tagged with.
    pub library: Library,
    /// Not all of its images are embedded with this one yet.
    pub next: Option<Embedder>,
}

impl Library {
    /// Takes the library of `config`, loads its model and its index, and brings its tags up to date. Where `config` names another
    /// model than the one that the library was filled with, and there are images to embed with it, that one stays in force until
    /// they are: nothing is lost from one moment to the next.
    pub fn open(config: &Config, stop: Stop, progress: &dyn Fn(Progress<'_>)) -> Result<Opened> {
        let taken = Taken::take(config)?;
        let wanted = load_model(&config.model, config, Some(&taken.store), progress)?;
        let (embedder, next) = match taken.model_to_leave(config, &wanted, progress)? {
            Some(in_force) => (in_force, Some(wanted)),
            None => (wanted, None),
        };
        let library = Library::take_over(config, taken, embedder, stop)?;
        Ok(Opened { library, next })
    }

    /// The same with the model that the library was filled with, whichever `config` names: for what is no reason to go over to
    /// another one.
    pub fn open_as_filled(
        config: &Config,
        stop: Stop,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Library> {
        let taken = Taken::take(config)?;
        let embedder = match taken.store.model_in_force()? {
            Some(known) => load_known(&known, config, &taken.store, progress)?,
            None => load_model(&config.model, config, Some(&taken.store), progress)?,
        };
        Library::take_over(config, taken, embedder, stop)
    }

    /// Opens a library for searching and looking, with the model that it was built with; also one that cannot be written.
    pub fn open_read_only(config: &Config, progress: &dyn Fn(Progress<'_>)) -> Result<Library> {
        let store = Store::open_existing(&config.library_dir()?)?;
        let known = store
            .model_in_force()?
            .context("the library is empty: fill it with `pixdex index FOLDER`")?;
        let embedder = load_known(&known, config, &store, progress)?;
        Library::load(&without_graph(config), store, embedder, Stop::default())
    }

    /// With this model in force from now on.
    fn take_over(
        config: &Config,
        Taken { lock, store }: Taken,
        embedder: Embedder,
        stop: Stop,
    ) -> Result<Library> {
        let labels = config.labels_folder()?;
        let is_ours = config.labels_dir.as_os_str().is_empty();
        let starters = is_ours.then(|| tag::starter_sets(embedder.name()));
        match tag::prepare_folder(&labels, starters) {
            // Its drive is away: the sets stay as they were last applied.
            Err(TagError::NoFolder(_)) if !store.label_sets()?.is_empty() => {}
            prepared => prepared?,
        }
        let mut library = Library::load(config, store, embedder, stop)?;
        library.lock = Some(Arc::new(lock));
        let reading = library.folder.join(READING);
        library.pictures = library.pictures.remembering(reading);
        // Before the first tag may change: from now on events are kept for them.
        let hooks = config.hooks.iter();
        let hooks: Vec<_> = hooks
            .map(|(name, hook)| (name.as_str(), hook.max_waiting))
            .collect();
        library.hooks = library.store.declare_hooks(&hooks)?;
        library.put_in_force()?;
        Ok(library)
    }

    /// The same library with another model, of which most images have embeddings: what is still to be done is
    /// [`Library::put_in_force`].
    pub(crate) fn with_model(
        &self,
        config: &Config,
        embedder: Embedder,
        stop: Stop,
    ) -> Result<Library> {
        let pictures = self.pictures.for_model(embedder.pixels_maker());
        Ok(Library {
            pictures,
            lock: self.lock.clone(),
            hooks: self.hooks.clone(),
            ..Library::load(config, self.store.clone(), embedder, stop)?
        })
    }

    /// Makes its model the one that the library is searched and tagged with.
    pub(crate) fn put_in_force(&self) -> Result<()> {
        self.tagger.sync()?;
        let (name, fingerprint) = (self.embedder.name(), self.embedder.fingerprint());
        self.store.set_model_in_force(&KnownModel {
            name: name.to_owned(),
            fingerprint: fingerprint.to_owned(),
        })?;
        self.store.feed().tell(Event::Model {
            name: name.to_owned(),
            fingerprint: fingerprint.to_owned(),
        });
        Ok(())
    }

    /// Images that no file holds any more are found no more.
    pub fn let_go(&self, images: &[ImageId]) -> Result<(), StoreError> {
        self.index.remove(images);
        if !images.is_empty() && self.store.feed().is_followed() {
            for image in self.store.hashes(images)? {
                self.store.feed().tell(Event::ImageGone { image });
            }
        }
        Ok(())
    }

    fn load(config: &Config, store: Store, embedder: Embedder, stop: Stop) -> Result<Library> {
        let model = store.model(embedder.fingerprint(), embedder.name())?;
        let threads = Threads::default();
        let index = open_index(config, &embedder, stop.clone(), threads.clone())?;
        index.load(&store, model)?;
        let tagger = Tagger::new(
            config.labels_folder()?,
            store.clone(),
            index.vectors().clone(),
            embedder.clone(),
        );
        let pictures = Pictures::new(config.decode.clone(), embedder.pixels_maker())
            .following_links(config.ingest.follow_links);
        let memory = Bytes(pictures.budget().memory_bytes);
        info!(%memory, "memory for decoding pictures");
        Ok(Library {
            folder: config.library_dir()?,
            store,
            embedder,
            model,
            index,
            tagger: Arc::new(tagger),
            hooks: Vec::new(),
            ingest: config.ingest.clone(),
            pictures,
            stop,
            threads,
            lock: None,
        })
    }

    /// Leaves for other commands to find where this process answers.
    pub fn announce(&self, owner: &Owner) -> std::io::Result<()> {
        self.lock
            .as_ref()
            .map_or(Ok(()), |lock| lock.announce(owner))
    }

    /// What finds its images.
    pub fn search(&self) -> Search {
        Search::new(
            self.store.clone(),
            self.index.clone(),
            self.embedder.clone(),
            self.pictures.clone(),
        )
    }
}

/// For a process that asks once or not at all: a scan is over long before a graph is built.
pub fn without_graph(config: &Config) -> Config {
    let mut config = config.clone();
    config.index.hnsw_from = usize::MAX;
    config
}

/// A library that nobody else writes while this lives, before any model is loaded for it.
pub(crate) struct Taken {
    lock: Lock,
    /// The truth.
    pub(crate) store: Store,
}

impl Taken {
    /// The library of `config`, made where there is none.
    pub(crate) fn take(config: &Config) -> Result<Taken> {
        let folder = config.library_dir()?;
        let lock = Lock::take(&folder)?;
        let store = Store::open(&folder)?;
        sync_journal(&store);
        Ok(Taken { lock, store })
    }

    /// The model in force, where the wanted one is another and has images to embed before it can take its place.
    fn model_to_leave(
        &self,
        config: &Config,
        wanted: &Embedder,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Option<Embedder>> {
        let Taken { store, .. } = self;
        let known = store.model_in_force()?;
        let Some(known) = known.filter(|known| known.fingerprint != wanted.fingerprint()) else {
            return Ok(None);
        };
        let next = store.model(wanted.fingerprint(), wanted.name())?;
        let in_force = store.model(&known.fingerprint, &known.name)?;
        if store.count_to_embed(next)? == 0 || store.count_live_images(in_force)? == 0 {
            return Ok(None);
        }
        match load_known(&known, config, store, progress) {
            Ok(embedder) => Ok(Some(embedder)),
            Err(error) => {
                let (model, error) = (known.name, format!("{error:#}"));
                warn!(
                    model,
                    error, "the model of before cannot answer until pictures are embedded anew"
                );
                Ok(None)
            }
        }
    }
}

/// Loads the model that a library was filled with, in the precision that it was filled in.
fn load_known(
    known: &KnownModel,
    config: &Config,
    store: &Store,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Embedder> {
    let model = open_model(&known.name, progress)?;
    for precision in [config.precision, Precision::Auto, Precision::Int8] {
        let placement = Placement::find(config.device, precision);
        match placement {
            Ok(placement) if placement.fingerprint_of(&model) == known.fingerprint => {
                return start_model(model, placement, Some(store));
            }
            _ => {}
        }
    }
    bail!(
        "`{}` is not the model any more that the library was filled with: start `pixdex serve` or `pixdex index` to fill it anew",
        known.name
    )
}

/// Loads a model by the name that its owner gave it. A library remembers how the model's self-check went, which takes
/// longer than the rest.
pub fn load_model(
    name: &str,
    config: &Config,
    library: Option<&Store>,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Embedder> {
    let placement = Placement::find(config.device, config.precision)?;
    start_model(open_model(name, progress)?, placement, library)
}

/// How the pictures of a model are made small; its weights are not loaded.
pub fn pixels_maker(name: &str, progress: &dyn Fn(Progress<'_>)) -> Result<PixelsMaker> {
    Ok(PixelsMaker::new(open_model(name, progress)?.preprocessing))
}

fn open_model(name: &str, progress: &dyn Fn(Progress<'_>)) -> Result<Model> {
    let source: ModelSource = name.parse()?;
    Ok(Model::open(&source, &HubSettings::from_env(), progress)?)
}

fn start_model(model: Model, placement: Placement, library: Option<&Store>) -> Result<Embedder> {
    if let Some(licence) = model.noncommercial_licence() {
        warn!(
            model = model.name,
            licence, "the licence of this model forbids to use it for commerce"
        );
    }
    let embedder = match library {
        Some(store) => load_checked(model, placement, store)?,
        None => Embedder::load(model, placement)?,
    };
    embedder.check_sense()?;
    if matches!(embedder.name().parse(), Ok(ModelSource::Bundled)) {
        warn!(
            "the bundled model knows drawn pictures only; for photos take another --model, see `pixdex model list`"
        );
    }
    info!(
        model = embedder.name(),
        device = embedder.placement().device(),
        precision = embedder.placement().precision(),
        embedding_dim = embedder.embedding_dim(),
        "model loaded"
    );
    Ok(embedder)
}

fn load_checked(model: Model, placement: Placement, store: &Store) -> Result<Embedder> {
    let fact = self_check_fact(&model, &placement);
    let known = store.fact(&fact)?.and_then(|cosine| cosine.parse().ok());
    let embedder = Embedder::load(model, placement.with_self_check(known))?;
    match embedder.placement().self_check_cosine() {
        Some(cosine) if known != Some(cosine) => {
            // Checked again the next time, where the library cannot be written.
            if let Err(error) = store.set_fact(&fact, &cosine.to_string()) {
                debug!(%error, "the model's self-check is not remembered");
            }
        }
        _ => {}
    }
    Ok(embedder)
}

/// The name of a fact that holds for one model, one number format, and one release's arithmetic.
fn self_check_fact(model: &Model, placement: &Placement) -> String {
    let precision = placement.precision();
    let release = env!("CARGO_PKG_VERSION");
    format!("self-check {precision} {release} {}", model.fingerprint)
}

fn open_index(config: &Config, embedder: &Embedder, stop: Stop, threads: Threads) -> Result<Index> {
    let texts = embedder.clone();
    let setup = IndexSetup {
        folder: config.library_dir()?.join(index::FOLDER),
        fingerprint: embedder.fingerprint().to_owned(),
        embedding_dim: embedder.embedding_dim(),
        texts: Box::new(move || sample_texts(&texts)),
    };
    Ok(Index::open(setup, config.index.clone(), stop, threads))
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

/// Brings the second copy of decisions up to date, and tells where it knows more than the database.
fn sync_journal(store: &Store) {
    match store.sync_journal() {
        Ok(JournalDifference { lost, .. }) if lost.is_empty() => {}
        Ok(JournalDifference { lost, .. }) => warn!(
            decisions = lost.len(),
            journal = %store.journal_path().display(),
            "decisions stand in the journal and not in the database: `pixdex check --repair` puts them back"
        ),
        Err(error) => warn!(%error, "decisions have no second copy that is up to date"),
    }
}

/// The folders of earlier runs; none where there is no library yet.
pub fn known_roots(config: &Config) -> Result<Vec<Root>> {
    match Store::open_existing(&config.library_dir()?) {
        Err(StoreError::NoLibrary(_)) => Ok(Vec::new()),
        store => Ok(store?.roots()?),
    }
}

/// Makes folders absolute, and drops those that lie inside another. One that is not there must be known from an earlier run.
pub fn resolve_roots(folders: &[PathBuf], known: &[Root]) -> Result<Vec<PathBuf>> {
    let mut roots = Vec::new();
    for folder in folders {
        let root = match folder.canonicalize() {
            // A drive that is not plugged in: its pictures stay in the library, offline.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let absent = std::path::absolute(folder)?;
                ensure!(
                    known.iter().any(|root| root.path == absent),
                    "there is no folder `{}`, nor was there one in an earlier run: name one that is there",
                    absent.display()
                );
                absent
            }
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

/// Where a path leads that may not be there yet: as much of it as is there, without links.
fn real(path: &Path) -> PathBuf {
    let there = path
        .ancestors()
        .find_map(|above| Some((above, above.canonicalize().ok()?)));
    let rest = |above| path.strip_prefix(above).unwrap_or(Path::new(""));
    there.map_or_else(
        || path.to_owned(),
        |(above, real)| real.join(rest(above)).components().collect(),
    )
}

/// Refuses a library that lies where its own thumbnails would be watched and indexed. Hidden folders are not watched.
pub fn check_place(config: &Config, roots: &[PathBuf]) -> Result<()> {
    let library = real(&std::path::absolute(config.library_dir()?)?);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

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
