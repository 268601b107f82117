//! A query in, ranked hits out.

use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

use crate::embed::{EmbedError, Embedder};
use crate::index::{Index, QueryKind};
use crate::store::{ContentHash, Failure, Filter, ImageId, ImageRow, Store, StoreError, Tag};

/// What to look for.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// A description in plain words.
    Text(String),
    /// Pictures like this one of the library.
    Similar(ContentHash),
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum SearchError {
    /// The query has no words.
    #[error("the query is empty: describe what you look for")]
    EmptyQuery,
    /// The image to compare with is not in the library.
    #[error("there is no image `{0}`")]
    UnknownImage(ContentHash),
    /// The image is known but has no embedding of the model at hand yet.
    #[error("the image `{0}` is not embedded yet, try again in a while")]
    NotEmbedded(ContentHash),
    /// The model failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The library failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Hits, best first.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The images.
    pub items: Vec<Item>,
    /// Whether every image that passes the filter was compared with the query.
    pub exact: bool,
}

/// An image as it is shown to people and programs.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// Identity of the content.
    pub id: String,
    /// One file that holds it; not to the letter where its name is not UTF-8.
    pub path: String,
    /// All files that hold it.
    pub paths: Vec<String>,
    /// Similarity to the query, -1 to 1; only in answers to a query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Format of the file, in lower case.
    pub format: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Length of the file.
    pub size_bytes: i64,
    /// The camera's local time, `YYYY-MM-DDTHH:MM:SS`.
    pub taken_at: Option<String>,
    /// Make and model.
    pub camera: Option<String>,
    /// Degrees, north is positive.
    pub latitude: Option<f64>,
    /// Degrees, east is positive.
    pub longitude: Option<f64>,
}

impl From<ImageRow> for Item {
    fn from(row: ImageRow) -> Item {
        let paths: Vec<String> = row
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let metadata = row.metadata;
        Item {
            id: row.hash.to_string(),
            path: paths.first().cloned().unwrap_or_default(),
            paths,
            score: None,
            tags: row.tags,
            format: metadata.format,
            width: metadata.width,
            height: metadata.height,
            size_bytes: row.size_bytes,
            taken_at: metadata.taken_at,
            camera: metadata.camera,
            latitude: metadata.latitude,
            longitude: metadata.longitude,
        }
    }
}

/// Answers queries. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Search {
    store: Store,
    index: Index,
    embedder: Embedder,
}

impl Search {
    /// Over these parts of a library.
    pub fn new(store: Store, index: Index, embedder: Embedder) -> Search {
        Search {
            store,
            index,
            embedder,
        }
    }

    /// The `limit` best hits among the images that pass the filter.
    pub fn run(&self, query: &Query, filter: &Filter, limit: usize) -> Result<Answer, SearchError> {
        let allowed = if filter.is_empty() {
            None
        } else {
            Some(self.store.matching(filter)?)
        };
        let (vector, kind, itself) = self.embed(query)?;
        // One more, since the most similar image is the image itself.
        let wanted = limit + usize::from(itself.is_some());
        let nearest = self.index.search(&vector, wanted, kind, allowed.as_deref());
        let hits: Vec<_> = nearest
            .hits
            .into_iter()
            .filter(|hit| Some(hit.0) != itself)
            .take(limit)
            .collect();
        Ok(Answer {
            items: self.items(&hits)?,
            exact: nearest.exact,
        })
    }

    fn embed(&self, query: &Query) -> Result<(Vec<f32>, QueryKind, Option<ImageId>), SearchError> {
        match query {
            Query::Text(text) if text.trim().is_empty() => Err(SearchError::EmptyQuery),
            Query::Text(text) => {
                let embeddings = self.embedder.embed_texts(vec![text.clone()])?;
                let embedding = embeddings.first().ok_or(EmbedError::Stopped)?;
                Ok((embedding.as_slice().to_vec(), QueryKind::Text, None))
            }
            Query::Similar(hash) => {
                let image = self
                    .store
                    .image_by_hash(hash)?
                    .ok_or(SearchError::UnknownImage(*hash))?;
                let vector = self
                    .index
                    .embedding(image)
                    .ok_or(SearchError::NotEmbedded(*hash))?;
                Ok((vector, QueryKind::Image, Some(image)))
            }
        }
    }

    /// Images that went between the search and this are left out.
    fn items(&self, hits: &[(ImageId, f32)]) -> Result<Vec<Item>, SearchError> {
        let ids: Vec<ImageId> = hits.iter().map(|hit| hit.0).collect();
        let rows = self.store.images(&ids)?;
        let score_of = |id: ImageId| hits.iter().find(|hit| hit.0 == id).map(|hit| hit.1);
        Ok(rows
            .into_iter()
            .map(|row| Item {
                score: score_of(row.id),
                ..Item::from(row)
            })
            .collect())
    }
}

/// A page of images without a query, newest in the library first.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// The images.
    pub items: Vec<Item>,
    /// Ask for the next page with this; none on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Up to `limit` images that pass the filter; `cursor` is the row at which the page before ended.
pub fn browse(
    store: &Store,
    filter: &Filter,
    cursor: Option<ImageId>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut ids = store.page(filter, cursor, limit + 1)?;
    let has_more = ids.len() > limit;
    ids.truncate(limit);
    let cursor = ids.last().filter(|_| has_more).map(|id| id.0.to_string());
    Ok(Page {
        items: store.images(&ids)?.into_iter().map(Item::from).collect(),
        cursor,
    })
}

/// A filter from what people type, where an empty value means that nothing is asked for.
pub fn filter(
    tags: Vec<String>,
    path: Option<String>,
    after: Option<String>,
    before: Option<String>,
) -> Filter {
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());
    Filter {
        tags: tags.into_iter().filter(|tag| !tag.is_empty()).collect(),
        path: given(path).map(PathBuf::from),
        after: given(after),
        before: given(before),
    }
}

/// Files that could not be indexed, as they are told to callers.
#[derive(Debug, Clone, Serialize)]
pub struct FailureList {
    failures: Vec<FailureReport>,
}

#[derive(Debug, Clone, Serialize)]
struct FailureReport {
    path: String,
    reason: String,
}

impl From<Vec<Failure>> for FailureList {
    fn from(failures: Vec<Failure>) -> FailureList {
        let report = |Failure { path, reason }| FailureReport {
            path: path.display().to_string(),
            reason,
        };
        FailureList {
            failures: failures.into_iter().map(report).collect(),
        }
    }
}
