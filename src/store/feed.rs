//! What happens to the library, told as it happens: to readers of the event stream, and to those who wait for the outbox.
//!
//! Telling never waits: a reader that is too slow misses events and is told how many.

use std::sync::Mutex;

use crossbeam_channel::{Receiver, Sender, bounded};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use super::decisions::Decision;
use super::images::ImageRow;
use super::locked;
use super::outbox::TagEvent;
use super::tags::{Tag, TagDifference};

/// Events that a slow reader may be behind before it misses some.
pub(super) const CAPACITY: usize = 1024;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An image gained a label that names hooks.
    Tag(TagEvent),
    /// A file was read and found to hold an image, which can now be searched for.
    Image(Indexed),
    /// A label set was applied.
    LabelSet(SetApplied),
    /// A person decided, or took a decision back.
    Decision(Decision),
    /// Events that are not told, since there were too many.
    Missed {
        /// How many.
        count: usize,
    },
}

/// An image that was indexed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Indexed {
    /// Identity of its content.
    pub image: String,
    /// The files that hold it.
    pub paths: Vec<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

impl From<ImageRow> for Indexed {
    fn from(row: ImageRow) -> Indexed {
        let paths = row.paths.iter().map(|path| path.display().to_string());
        Indexed {
            image: row.hash.to_string(),
            paths: paths.collect(),
            tags: row.tags,
        }
    }
}

/// What applying a label set changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetApplied {
    /// Name of the set.
    pub set: String,
    /// Its tags.
    #[serde(flatten)]
    pub difference: TagDifference,
}

impl Event {
    /// The name of its kind, as its JSON has it.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Tag(_) => "tag",
            Event::Image(_) => "image",
            Event::LabelSet(_) => "label_set",
            Event::Decision(_) => "decision",
            Event::Missed { .. } => "missed",
        }
    }
}

/// Where events are told and heard.
#[derive(Debug)]
pub struct Feed {
    events: broadcast::Sender<Event>,
    waiting: Mutex<Vec<Sender<()>>>,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed {
            events: broadcast::Sender::new(CAPACITY),
            waiting: Mutex::default(),
        }
    }
}

impl Feed {
    /// Tells all readers.
    pub fn tell(&self, event: Event) {
        // Nobody reads: nobody is told.
        let _ = self.events.send(event);
    }

    /// Whether anybody reads, so that nothing is looked up for nobody.
    pub fn has_readers(&self) -> bool {
        self.events.receiver_count() > 0
    }

    /// Events from now on.
    pub fn read(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Told whenever something was put into the outbox since it was last told.
    pub fn outbox_filled(&self) -> Receiver<()> {
        let (sender, receiver) = bounded(1);
        locked(&self.waiting).push(sender);
        receiver
    }

    pub(super) fn tell_outbox_filled(&self) {
        // Full: it is told already. Closed: it waits no more.
        locked(&self.waiting).retain(
            |waiting| !matches!(waiting.try_send(()), Err(error) if error.is_disconnected()),
        );
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    #[test]
    fn a_slow_reader_holds_nobody_up_and_learns_what_it_missed() {
        let feed = Feed::default();
        feed.tell(Event::Missed { count: 0 });
        assert!(!feed.has_readers());
        let mut slow = feed.read();
        for count in 0..CAPACITY + 3 {
            feed.tell(Event::Missed { count });
        }
        assert!(matches!(slow.try_recv(), Err(TryRecvError::Lagged(3))));
        assert_eq!(slow.try_recv().unwrap(), Event::Missed { count: 3 });
    }

    #[test]
    fn who_waits_for_the_outbox_is_told_once_for_many() {
        let feed = Feed::default();
        let filled = feed.outbox_filled();
        feed.tell_outbox_filled();
        feed.tell_outbox_filled();
        assert_eq!(filled.try_iter().count(), 1);
        drop(filled);
        feed.tell_outbox_filled();
        assert!(locked(&feed.waiting).is_empty());
    }
}
