//! What all hits have in common. Each kind of value is counted as if it was not filtered by, so that one of them can be swapped for
//! another, or another be added: beside hits of one camera stand the other cameras, each with what it would find.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::query::Query;
use super::ranking::Ranking;
use super::{Search, SearchError, Slice};
use crate::store::{Excluded, Facet, Facets, Filter, ImageId, Store};

/// What all images have in common, as it was counted last: whoever comes to the library asks for it, and it is the dearest count.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole(Arc<Mutex<Option<Counted>>>);

#[derive(Debug)]
struct Counted {
    /// The state of the store.
    state: u64,
    total: usize,
    facets: Facets,
}

impl Whole {
    /// How many images there are, and what they have in common.
    fn count(&self, store: &Store) -> Result<(usize, Facets), SearchError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = store.state();
        if let Some(known) = last.as_ref().filter(|known| known.state == state) {
            return Ok((known.total, known.facets.clone()));
        }
        let all = store.matching(&Filter::default())?;
        let (total, facets) = (all.len(), store.facets(&all, &Facet::ALL)?);
        *last = Some(Counted {
            state,
            total,
            facets: facets.clone(),
        });
        Ok((total, facets))
    }
}

impl Search {
    /// How many images pass the filter of a query without terms and, where that is wanted, what they have in common.
    pub(super) fn count(
        &self,
        query: &Query,
        slice: &Slice,
    ) -> Result<(usize, Option<Facets>), SearchError> {
        if slice.facets && query.filter.is_empty() {
            let (total, facets) = self.whole.count(&self.store)?;
            return Ok((total, Some(facets)));
        }
        let all = self.store.matching(&query.filter)?;
        let facets = slice.facets.then(|| self.facets(query, None, &all));
        Ok((all.len(), facets.transpose()?))
    }

    /// Counts over `hits`, the images that the query finds; by the ranking if it has one.
    pub(super) fn facets(
        &self,
        query: &Query,
        ranking: Option<Ranking>,
        hits: &[ImageId],
    ) -> Result<Facets, SearchError> {
        let mut facets = self.store.facets(hits, &Facet::ALL)?;
        let mut ranking = ranking;
        let filter = &query.filter;
        let mut without = |filter: Filter, facet: Facet| {
            let hits = self.all_hits(query, &filter, ranking.as_mut())?;
            Ok::<_, SearchError>(self.store.facets(&hits, &[facet])?)
        };
        for set in sets(filter) {
            let found = without(without_set(filter, &set), Facet::Tags)?;
            facets.tags.retain(|tag| tag.set != set);
            let of_set = found.tags.into_iter().filter(|tag| tag.set == set);
            facets.tags.extend(of_set);
        }
        for facet in [Facet::Times, Facet::Folders, Facet::Cameras, Facet::Formats] {
            let other = without_facet(filter, facet);
            if other != *filter {
                facets.take(facet, without(other, facet)?);
            }
        }
        Ok(facets)
    }

    /// All that the query finds with another filter.
    pub(super) fn all_hits(
        &self,
        query: &Query,
        filter: &Filter,
        ranking: Option<&mut Ranking>,
    ) -> Result<Vec<ImageId>, SearchError> {
        let Some(ranking) = ranking else {
            return Ok(self.store.matching(filter)?);
        };
        ranking.allowed = self.allowed(filter)?;
        let counted = Slice {
            total: true,
            ..Slice::first(1)
        };
        Ok(self
            .part(query, ranking, None, &counted)
            .all
            .unwrap_or_default())
    }
}

/// The sets of the tags that a filter names with their set.
fn sets(filter: &Filter) -> BTreeSet<String> {
    let tags = filter.any_tags.iter().flatten();
    let tags = tags.chain(&filter.all_tags).chain(&filter.no_tags);
    tags.filter_map(|tag| Some(tag.split_once('/')?.0.to_owned()))
        .collect()
}

fn without_set(filter: &Filter, set: &str) -> Filter {
    let is_other = |tag: &String| tag.split_once('/').is_none_or(|(other, _)| other != set);
    let mut filter = filter.clone();
    filter.all_tags.retain(is_other);
    filter.no_tags.retain(is_other);
    filter.any_tags.retain(|any| any.iter().any(is_other));
    filter
}

fn without_facet(filter: &Filter, facet: Facet) -> Filter {
    let mut filter = filter.clone();
    let Excluded {
        paths,
        taken,
        formats,
        cameras,
    } = &mut filter.not;
    match facet {
        Facet::Tags => {}
        Facet::Times => {
            taken.clear();
            filter.taken.clear();
            filter.after = None;
            filter.before = None;
        }
        Facet::Folders => {
            paths.clear();
            filter.paths.clear();
        }
        Facet::Cameras => {
            cameras.clear();
            filter.cameras.clear();
        }
        Facet::Formats => {
            formats.clear();
            filter.formats.clear();
        }
    }
    filter
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::parse;

    #[test]
    fn a_filter_without_one_of_its_kinds_keeps_the_others() {
        let filter = |text: &str| parse(text).unwrap().filter;
        let all = filter(
            "tag:a/x -tag:a/y tag:a/x,a/z tag:b/x tag:bare path:p -path:q taken:2020 after:2019 camera:c format:jpg -format:gif",
        );
        assert_eq!(sets(&all), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        let without_a = without_set(&all, "a");
        assert_eq!(without_a.all_tags, ["b/x", "bare"]);
        assert!(without_a.any_tags.is_empty() && without_a.no_tags.is_empty());
        for (facet, rest) in [
            (Facet::Tags, ""),
            (
                Facet::Times,
                "path:p -path:q camera:c format:jpg -format:gif",
            ),
            (
                Facet::Folders,
                "taken:2020 after:2019 camera:c format:jpg -format:gif",
            ),
            (
                Facet::Cameras,
                "path:p -path:q taken:2020 after:2019 format:jpg -format:gif",
            ),
            (
                Facet::Formats,
                "path:p -path:q taken:2020 after:2019 camera:c",
            ),
        ] {
            let tags = "tag:a/x -tag:a/y tag:a/x,a/z tag:b/x tag:bare ";
            let expected = if rest.is_empty() {
                all.clone()
            } else {
                filter(&format!("{tags}{rest}"))
            };
            assert_eq!(without_facet(&all, facet), expected, "{facet:?}");
        }
    }
}
