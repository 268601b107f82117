//! The model hub as a user meets it: downloads, the cache, cuts, refusals, and what is taken where something is missing.

use std::path::PathBuf;

use pixdex::model::{HubError, HubSettings, Model, ModelError, ModelSource, Shard, Weights};
use tempfile::TempDir;

use server::etag;

mod cache;
mod families;
mod layouts;
mod refusals;
mod server;
mod transfer;

const OTHER_COMMIT: &str = "2222222222222222222222222222222222222222";

fn source(text: &str) -> ModelSource {
    text.parse().unwrap()
}

fn open(text: &str, settings: &HubSettings) -> Result<Model, ModelError> {
    Model::open(&source(text), settings, &|_| ())
}

fn hub_error(result: Result<Model, ModelError>) -> HubError {
    match result.unwrap_err() {
        ModelError::Hub(error) => error,
        other => panic!("{other}"),
    }
}

fn content(shard: &Shard) -> Vec<u8> {
    let mut bytes = vec![0; shard.length() as usize];
    shard.read(0, &mut bytes).unwrap();
    bytes
}

fn weights(model: &Model) -> Vec<u8> {
    match &model.weights {
        Weights::Safetensors(files) => content(&files[0]),
        Weights::Pickle(path) => panic!("{}", path.display()),
    }
}

fn cache() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The same settings with nobody at the hub's address: a port below the range from which other tests get theirs.
fn offline(settings: &HubSettings) -> HubSettings {
    let endpoint = "http://127.0.0.1:9".to_owned();
    HubSettings {
        endpoint,
        ..settings.clone()
    }
}

fn in_cache(cache: &TempDir, path: &str) -> PathBuf {
    cache.path().join("hub/models--a--clip").join(path)
}

fn blob(cache: &TempDir, bytes: &[u8], extension: &str) -> PathBuf {
    in_cache(cache, &format!("blobs/{}{extension}", etag(bytes)))
}
