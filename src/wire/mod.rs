//! The answers and requests that HTTP, the event stream and the command line share.
//!
//! Each is written by the one who answers and read by the one who asked, so that a field has one name. What a module
//! upstream makes in this form already is defined there.

mod decisions;
mod label_sets;
mod library;
mod pictures;
mod search;
mod status;
mod tokens;
mod upkeep;

pub use crate::index::{IndexStatus, Tuned, Tuning, Way};
pub use crate::ingest::ProgressReport;
pub use crate::search::{Answer, Duplicates, Group, Item};
pub use crate::store::{
    Count, Decision, Event, Facets, HookStatus, Scope, Source, Tag, TagCount, Token, Verdict,
};
pub use crate::tag::{Dropped, LabelPreview, Near, Preview, Review};
pub use crate::upkeep::{ForgetReport, KnownRoot, PurgeReport, ReembeddingReport};
pub use crate::watch::{WatchNote, WatchReport};
pub use decisions::{DecideMany, DecideOne, Decided, Decisions};
pub use label_sets::{Applied, LabelSetReport, LabelSets};
pub use library::{ErrorBody, FailedFile, Failures, Health, Rescan, Tags, WaitingFile};
pub use pictures::{
    Brought, EditText, Edited, ImageScores, Parsed, Places, QueryError, Retry, SaveSearch,
    SavedSearches, SearchRemoved,
};
pub use search::{
    BadSearch, DEFAULT_LIMIT, FilterRequest, MAX_LIMIT, SearchRequest, TagsRequest, TermRequest,
    read_limit,
};
pub use status::{
    DecodingStatus, LabelSetStatus, LoadedModel, ModelStatus, RootStatus, RunningStatus, Status,
};
pub use tokens::{AddToken, NewToken, TokenRemoved, Tokens, Whoami};
pub use upkeep::{Forget, Purge, Roots};

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of all kinds of events, as their schema has them.
    fn kinds() -> Vec<String> {
        let schema = schemars::schema_for!(Event).to_value();
        let kinds = schema["oneOf"].as_array().unwrap().iter();
        let name = |kind: &serde_json::Value| kind["properties"]["event"]["const"].clone();
        kinds
            .map(|kind| name(kind).as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_page_about_events_tells_of_each() {
        let page = include_str!("../../config/events.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut told: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        let mut kinds = kinds();
        told.sort_unstable();
        kinds.sort_unstable();
        assert_eq!(told, kinds);
    }

    #[test]
    fn events_are_read_as_they_are_told() {
        let decision = Decision {
            image: "0".repeat(64).parse().unwrap(),
            set: "places".to_owned(),
            label: "beach".to_owned(),
            verdict: None,
            decided_at: None,
        };
        let root = Event::Root {
            path: "/photos".to_owned(),
            online: false,
        };
        for event in [Event::Decision(decision), root, Event::Missed { count: 3 }] {
            let told = serde_json::to_string(&event).unwrap();
            let read: Event = serde_json::from_str(&told).unwrap();
            assert_eq!(read, event, "{told}");
            assert!(
                told.starts_with(&format!("{{\"event\":\"{}\"", event.name())),
                "{told}"
            );
        }
    }
}
