//! Answers queries: ranks the images of the library by how well they fit what is asked for.
//!
//! `parse` reads what people type, `embedded_query` makes one vector of it, `cutoff` says where the ranking ends, and
//! `cursor` where a page of it did.

mod cursor;
mod cutoff;
mod duplicates;
mod embedded_query;
mod facets;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod item;
mod parse;
mod parts;
mod query;
mod ranking;
mod terms;
mod uploads;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::info;

use crate::embed::{EmbedError, Embedder, TooLong};
use crate::figures::FIGURES;
use crate::index::Index;
use crate::pictures::{PictureError, Pictures};
use crate::store::{
    ContentHash, Facets, FrameId, ImageId, Order, Place, Store, StoreError, TooMuchFilter,
};
use cursor::Cursor;
use cutoff::{Cut, Cutoff};
pub use duplicates::{DuplicateCriterion, Duplicates, Group, LEAST_SIMILARITY};
use facets::Whole;
pub use item::Item;
pub use parse::{BadQuery, MOST_QUERY_CHARACTERS, Mistake, parse};
pub use parts::{Part, PartKind, parts};
pub use query::{
    BadStrictness, MOST_TERMS, MOST_WEIGHT, NEGATIVE_WEIGHT, Query, Strictness, Term, Upload, What,
};
use ranking::{Ranking, RankingPart};
pub use terms::TermScore;
use uploads::Uploads;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum SearchError {
    /// A part of the query has no words.
    #[error("the query is empty: describe what you look for")]
    EmptyQuery,
    /// Its short form cannot be read.
    #[error(transparent)]
    BadQuery(#[from] BadQuery),
    /// Images are listed here, not ranked.
    #[error("only filters have a meaning here, no descriptions and no pictures")]
    OnlyFilters,
    /// No similarity of duplicates.
    #[error("the similarity of duplicates is a number from 0.5 to 1, not `{0}`")]
    BadSimilarity(String),
    /// A description that no model reads to its end.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// More filters than can be looked up.
    #[error(transparent)]
    TooMuchFilter(#[from] TooMuchFilter),
    /// What is wanted and what is not are the same.
    #[error("the parts of the query cancel each other out")]
    Cancelled,
    /// A picture that came with the query is none.
    #[error("the picture of the query cannot be read: {0}")]
    BadPicture(#[from] PictureError),
    /// Not something that an answer held.
    #[error("`{0}` is not a cursor of an earlier answer to this query")]
    BadCursor(String),
    /// An order was asked for that is not that of a ranking.
    #[error("hits of a description or a picture are ranked by it: `order` is for filters alone")]
    Ranked,
    /// The library has another model now, which ranks differently.
    #[error("the cursor comes from an answer of another model: search again from the start")]
    OtherModel,
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

/// A search that takes longer is told, with what it took the time for.
const SLOW: Duration = Duration::from_millis(500);

/// Which part of the ranking is wanted, and what of the whole.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Images on a page.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Hits that are left out behind that, or at the start.
    pub offset: usize,
    /// The order, where nothing ranks.
    pub order: Option<Order>,
    /// Whether all hits are counted, not only those of the page.
    pub total: bool,
    /// Whether it is told what all hits have in common.
    pub facets: bool,
}

impl Slice {
    /// The first so many.
    pub fn first(limit: usize) -> Slice {
        Slice {
            limit,
            cursor: None,
            offset: 0,
            order: None,
            total: false,
            facets: false,
        }
    }

    /// Whether all hits must be known, not only those of the page.
    fn is_of_all(&self) -> bool {
        self.total || self.facets
    }
}

/// Hits, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The images.
    pub items: Vec<Item>,
    /// Whether every image that passes the filter was compared with the query.
    pub exact: bool,
    /// Whether anything in the library fits the description; absent where that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fits: Option<bool>,
    /// Ask for the next page with this; none on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// All hits, where they were asked for to be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<usize>,
    /// What they have in common; values of a kind that is filtered by are counted as if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<Facets>,
}

/// Answers queries. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Search {
    store: Store,
    index: Index,
    embedder: Embedder,
    pictures: Pictures,
    cutoff: Cutoff,
    uploads: Uploads,
    whole: Whole,
}

impl Search {
    /// Over these parts of a library; `pictures` are those that come with a query.
    pub fn new(store: Store, index: Index, embedder: Embedder, pictures: Pictures) -> Search {
        Search {
            cutoff: Cutoff::new(index.vectors().clone(), embedder.clone()),
            store,
            index,
            embedder,
            pictures,
            uploads: Uploads::default(),
            whole: Whole::default(),
        }
    }

    /// The best hits among the images that pass the filter.
    ///
    /// A ranking ends where hits neither stand out from the library nor fit the description, as strictly as the query wants
    /// it; one by pictures, or by what is not wanted alone, only where that is asked for.
    pub fn run(&self, query: &Query, slice: &Slice) -> Result<Answer, SearchError> {
        query.check()?;
        if query.terms.is_empty() {
            return self.browse(query, slice);
        }
        if slice.order.is_some() {
            return Err(SearchError::Ranked);
        }
        let cursor = self.cursor(query, slice)?;
        let started = Instant::now();
        let ranking = self.rank(query, cursor.as_ref())?;
        let ranked = Instant::now();
        let found = match cursor {
            None if !slice.is_of_all() && slice.offset == 0 => {
                self.first(query, &ranking, slice.limit)
            }
            cursor => self.part(query, &ranking, cursor.as_ref(), slice),
        };
        let compared = Instant::now();
        let answer = self.answer(query, slice, ranking, found);
        let read = compared.elapsed();
        for (part, took) in [
            ("filter_and_embed", ranked - started),
            ("compare", compared - ranked),
            ("read", read),
        ] {
            FIGURES.search_parts.add(part, took);
        }
        let total = started.elapsed();
        if total > SLOW {
            let ms = |duration: Duration| duration.as_millis() as u64;
            info!(
                total_ms = ms(total),
                filter_and_embed_ms = ms(ranked - started),
                compare_ms = ms(compared - ranked),
                read_ms = ms(read),
                terms = query.terms.len(),
                "slow search"
            );
        }
        answer
    }

    fn cursor(&self, query: &Query, slice: &Slice) -> Result<Option<Cursor>, SearchError> {
        let Some(text) = &slice.cursor else {
            return Ok(None);
        };
        let bad = || SearchError::BadCursor(text.clone());
        let cursor: Cursor = text.parse().map_err(|()| bad())?;
        let (model, hash) = Cursor::tags(self.embedder.fingerprint(), query);
        match cursor {
            Cursor { model: other, .. } if other != model => Err(SearchError::OtherModel),
            Cursor { query, weights, .. } if query != hash || weights.is_empty() => Err(bad()),
            cursor => Ok(Some(cursor)),
        }
    }

    fn answer(
        &self,
        query: &Query,
        slice: &Slice,
        ranking: Ranking,
        found: RankingPart,
    ) -> Result<Answer, SearchError> {
        let cursor = match found.hits.last() {
            Some(last) if !found.is_last => Some(self.cursor_at(query, &ranking, found.cut, *last)),
            _ => None,
        };
        let mut items = Vec::new();
        if slice.cursor.is_none() {
            items = self.named_items(&ranking)?;
            items.drain(..slice.offset.min(items.len()));
        }
        items.extend(self.items(&ranking, &found.hits, &found.frames)?);
        let all = found.all.map(|all| [&ranking.named[..], &all].concat());
        Ok(Answer {
            items,
            exact: found.exact,
            fits: found.cut.fits,
            cursor,
            total: all.as_ref().map(Vec::len),
            facets: match all.filter(|_| slice.facets) {
                Some(all) => Some(self.facets(query, Some(ranking), &all)?),
                None => None,
            },
        })
    }

    fn cursor_at(
        &self,
        query: &Query,
        ranking: &Ranking,
        cut: Cut,
        (image, similarity): (ImageId, f32),
    ) -> String {
        let (model, query) = Cursor::tags(self.embedder.fingerprint(), query);
        let cursor = Cursor {
            model,
            query,
            similarity,
            image,
            cut,
            weights: ranking.embedded.weights.clone(),
        };
        cursor.to_string()
    }

    fn named_items(&self, ranking: &Ranking) -> Result<Vec<Item>, SearchError> {
        let similarity = |image: &ImageId| {
            let embedding = self.index.vectors().embedding(*image)?;
            Some((
                *image,
                crate::kernels::dot(&embedding, &ranking.embedded.vector),
            ))
        };
        let hits: Vec<_> = ranking.named.iter().filter_map(similarity).collect();
        let named = self.items(ranking, &hits, &BTreeMap::new())?.into_iter();
        Ok(named
            .map(|item| Item {
                is_named: true,
                ..item
            })
            .collect())
    }

    /// Images that went between the search and this are left out.
    fn items(
        &self,
        ranking: &Ranking,
        hits: &[(ImageId, f32)],
        frames: &BTreeMap<ImageId, FrameId>,
    ) -> Result<Vec<Item>, SearchError> {
        if hits.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<ImageId> = hits.iter().map(|hit| hit.0).collect();
        let rows = self.store.images(&ids)?;
        let frame_of = |image: &ImageId| frames.get(image).copied();
        let times = self.store.frame_times(ids.iter().filter_map(frame_of))?;
        let time_ms = |image: &ImageId| times.get(&frame_of(image)?).copied();
        let scores: HashMap<ImageId, f32> = hits.iter().copied().collect();
        let z = |score: f32| ranking.baseline.map(|baseline| baseline.z(score));
        Ok(rows
            .into_iter()
            .map(|row| {
                let score = scores.get(&row.id).copied();
                let time_ms = time_ms(&row.id).or(row.cover_ms);
                Item {
                    score,
                    z: score.and_then(z),
                    time_ms,
                    ..Item::from(row)
                }
            })
            .collect())
    }

    /// All that pass the filter, in the order that is asked for, or newest first.
    fn browse(&self, query: &Query, slice: &Slice) -> Result<Answer, SearchError> {
        let order = slice.order.unwrap_or(Order::NEWEST_FIRST);
        let place = |text: &String| {
            let place: Option<Place> = text.parse().ok();
            let place = place.filter(|place| place.order() == order);
            place.ok_or_else(|| SearchError::BadCursor(text.clone()))
        };
        let behind = slice.cursor.as_ref().map(place).transpose()?;
        let filter = &query.filter;
        let mut listed = self.store.page(
            filter,
            order,
            behind.as_ref(),
            slice.offset,
            slice.limit + 1,
        )?;
        let has_more = listed.len() > slice.limit;
        listed.truncate(slice.limit);
        let (ids, mut places): (Vec<_>, Vec<_>) = listed.into_iter().unzip();
        let last = places.pop().filter(|_| has_more);
        let counted = slice.is_of_all().then(|| self.count(query, slice));
        let (total, facets) = counted.transpose()?.unzip();
        Ok(Answer {
            items: self
                .store
                .images(&ids)?
                .into_iter()
                .map(Item::from)
                .collect(),
            exact: true,
            fits: None,
            cursor: last.map(|place| place.to_string()),
            total,
            facets: facets.flatten(),
        })
    }
}
