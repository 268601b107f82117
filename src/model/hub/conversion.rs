//! Finds the revision that holds `model.safetensors` where a repository's own branch has only `pytorch_model.bin`: the pull
//! request that the hub's converter opened.

use serde::Deserialize;
use tracing::debug;

use super::{HubSettings, client::Client, fetch::Fetcher};
use crate::model::{
    ModelError,
    folder::{CONFIG, PICKLE},
};

/// The hub's own converter. Anybody may open a pull request, so nobody else's are looked at, as in transformers.
const CONVERTER: &str = "SFconvertbot";

/// Conversions that are known without asking.
const KNOWN: [(&str, &str); 1] = [("openai/clip-vit-base-patch32", "refs/pr/15")];

#[derive(Deserialize)]
struct Discussions {
    discussions: Vec<Discussion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discussion {
    num: u64,
    author: Author,
    is_pull_request: bool,
}

#[derive(Deserialize)]
struct Author {
    name: String,
}

/// The first candidate that was made from this very revision.
pub(super) fn find(
    fetcher: &Fetcher<'_>,
    settings: &HubSettings,
) -> Result<Option<String>, ModelError> {
    let repo = fetcher.cache.repo.as_str();
    let known = KNOWN
        .iter()
        .filter(|(name, _)| *name == repo)
        .map(|(_, revision)| (*revision).to_owned());
    for revision in known.chain(from_the_converter(fetcher)) {
        if same_model(fetcher, settings, &revision)? {
            return Ok(Some(revision));
        }
    }
    Ok(None)
}

/// The same configuration and, where the candidate still has them, the same weights to convert from.
fn same_model(
    fetcher: &Fetcher<'_>,
    settings: &HubSettings,
    revision: &str,
) -> Result<bool, ModelError> {
    let cache = fetcher.cache.at(settings, revision);
    let there = fetcher.at(&cache);
    let tag = |fetcher: &Fetcher<'_>, file| {
        Ok::<_, ModelError>(fetcher.ask(file)?.map(|remote| remote.etag))
    };
    let pickle = tag(&there, PICKLE)?;
    Ok(tag(&there, CONFIG)? == tag(fetcher, CONFIG)?
        && (pickle.is_none() || pickle == tag(fetcher, PICKLE)?))
}

/// A hub that cannot list its pull requests has no conversions; `pytorch_model.bin` does as well.
fn from_the_converter(fetcher: &Fetcher<'_>) -> Vec<String> {
    let url = fetcher.api_url(&format!("discussions?type=pull_request&author={CONVERTER}"));
    let list = read_list(&fetcher.client, &url).unwrap_or_else(|error| {
        debug!(%error, url, "no list of pull requests");
        Discussions {
            discussions: Vec::new(),
        }
    });
    let trusted = |found: &Discussion| found.is_pull_request && found.author.name == CONVERTER;
    list.discussions
        .into_iter()
        .filter(trusted)
        .map(|found| format!("refs/pr/{}", found.num))
        .collect()
}

fn read_list(client: &Client<'_>, url: &str) -> Result<Discussions, String> {
    let answer = client
        .persist(|| client.get(url, "", None))
        .map_err(|error| error.to_string())?;
    let text = answer
        .ok_or("there is none")?
        .body
        .read_to_string()
        .map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}
