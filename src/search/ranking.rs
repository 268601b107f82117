//! Which images a query ranks first, and where its ranking ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cursor::Cursor;
use super::cutoff::{Baseline, BaselineSample, Cut};
use super::embedded_query::EmbeddedQuery;
use super::query::{Query, Strictness};
use super::{Search, SearchError, Slice};
use crate::index::{Nearest, QueryKind};
use crate::store::{Filter, FrameId, ImageId};

/// A query with all that is needed to rank images by it.
pub(super) struct Ranking {
    pub(super) embedded: EmbeddedQuery,
    pub(super) kind: QueryKind,
    /// The images that pass the filter, in order; all where there is none.
    pub(super) allowed: Option<Vec<ImageId>>,
    /// Images that are called what is looked for; they come before all others.
    pub(super) named: Vec<ImageId>,
    pub(super) sample: Option<Arc<BaselineSample>>,
    pub(super) baseline: Option<Baseline>,
}

/// Part of a ranking.
pub(super) struct RankingPart {
    pub(super) hits: Vec<(ImageId, f32)>,
    /// Of videos that fit by another frame than the one that stands for them, that frame.
    pub(super) frames: BTreeMap<ImageId, FrameId>,
    pub(super) exact: bool,
    pub(super) cut: Cut,
    pub(super) is_last: bool,
    pub(super) all: Option<Vec<ImageId>>,
}

impl Search {
    pub(super) fn rank(
        &self,
        query: &Query,
        cursor: Option<&Cursor>,
    ) -> Result<Ranking, SearchError> {
        let allowed = self.allowed(&query.filter)?;
        let sample = self.cutoff.sample()?;
        let weights = cursor.map(|cursor| cursor.weights.as_slice());
        let embedded = self.embed_query(query, weights, sample.as_deref())?;
        let named = match query.only_text() {
            Some(text) => self.store.named(text.trim(), &query.filter)?,
            None => Vec::new(),
        };
        Ok(Ranking {
            kind: if query.has_picture() {
                QueryKind::Image
            } else {
                QueryKind::Text
            },
            baseline: sample
                .as_ref()
                .map(|sample| sample.baseline(&embedded.vector)),
            embedded,
            allowed,
            named,
            sample,
        })
    }

    /// The images that pass a filter, in order; none where all do.
    pub(super) fn allowed(&self, filter: &Filter) -> Result<Option<Vec<ImageId>>, SearchError> {
        if filter.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.store.passing(filter)?))
    }

    /// The start of the ranking, in the fastest way.
    pub(super) fn first(&self, query: &Query, ranking: &Ranking, limit: usize) -> RankingPart {
        // One more tells whether there is another page.
        let Nearest {
            mut hits,
            frames,
            exact,
        } = self.nearest(ranking, limit + 1);
        let cut = self.cut(query, ranking, &hits);
        cut.apply(&mut hits);
        let is_last = hits.len() <= limit;
        hits.truncate(limit);
        RankingPart {
            hits,
            frames,
            exact,
            cut,
            is_last,
            all: None,
        }
    }

    /// So many hits.
    fn nearest(&self, ranking: &Ranking, count: usize) -> Nearest {
        // Images that are no hits may come in between.
        let wanted = count + ranking.left_out().count();
        let vector = &ranking.embedded.vector;
        let allowed = ranking.allowed.as_deref();
        let nearest = self
            .index
            .neighbours()
            .search(vector, wanted, ranking.kind, allowed);
        ranking.without_left_out(nearest)
    }

    /// A later part, or one whose whole ranking is to be counted: all images are compared.
    pub(super) fn part(
        &self,
        query: &Query,
        ranking: &Ranking,
        cursor: Option<&Cursor>,
        slice: &Slice,
    ) -> RankingPart {
        let cut = match cursor {
            Some(cursor) => cursor.cut,
            None => self.cut(query, ranking, &self.nearest(ranking, 1).hits),
        };
        let allowed = ranking.allowed.as_deref();
        let neighbours = self.index.neighbours();
        let above = neighbours.above(&ranking.embedded.vector, cut.floor, allowed);
        let Nearest {
            mut hits, frames, ..
        } = ranking.without_left_out(above);
        cut.apply(&mut hits);
        let all = slice
            .is_of_all()
            .then(|| hits.iter().map(|hit| hit.0).collect());
        hits.retain(|hit| cursor.is_none_or(|cursor| cursor.is_before(*hit)));
        // Those that are called what is looked for stand before all others.
        let named = cursor.map_or(ranking.named.len(), |_| 0);
        hits.drain(..slice.offset.saturating_sub(named).min(hits.len()));
        let is_last = hits.len() <= slice.limit;
        hits.truncate(slice.limit);
        RankingPart {
            hits,
            frames,
            exact: true,
            cut,
            is_last,
            all,
        }
    }

    /// Where a ranking that begins with these hits ends.
    fn cut(&self, query: &Query, ranking: &Ranking, hits: &[(ImageId, f32)]) -> Cut {
        let (Some(sample), Some(baseline)) = (&ranking.sample, ranking.baseline) else {
            return Cut::NONE;
        };
        let best = hits.first().map_or(-1.0, |hit| hit.1);
        let strictness = query.strictness.unwrap_or(query.default_strictness());
        if strictness == Strictness::NONE {
            return Cut::NONE;
        }
        if query.is_description() {
            return self.cutoff.cut(sample, baseline, best, strictness);
        }
        let strictness = strictness.share();
        if query.has_picture() {
            // The best picture beside a picture can be its copy, behind which all others would be far.
            let floor = baseline.least(strictness);
            return Cut { floor, ..Cut::NONE };
        }
        if best < baseline.least(strictness) {
            // Nothing stands out: what is looked for may be everywhere.
            return Cut::NONE;
        }
        let floor = baseline.floor(best, strictness);
        Cut { floor, ..Cut::NONE }
    }
}

impl Ranking {
    /// Images that are no hits: those that the query is made of, and those that come first anyway.
    fn left_out(&self) -> impl Iterator<Item = &ImageId> {
        self.embedded.images.iter().chain(&self.named)
    }

    fn without_left_out(&self, mut nearest: Nearest) -> Nearest {
        let hits = &mut nearest.hits;
        hits.retain(|hit| !self.left_out().any(|image| *image == hit.0));
        nearest
    }
}
