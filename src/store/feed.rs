//! What happens to the library, told as it happens: to readers of the event stream, and to those who wait for the outbox.
//!
//! Telling never waits: a reader that is too slow misses events and is told how many.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use super::decisions::Decision;
use super::hash::ContentHash;
use super::images::ImageRow;
use super::locked;
use super::outbox::TagEvent;
use super::tags::{Tag, TagDifference};
use crate::figures::FIGURES;

/// Events that a slow reader may be behind before it misses some.
pub(super) const CAPACITY: usize = 1024;

/// Who was cut off comes back within so long, or asks for all anew.
const COMES_BACK_WITHIN: Duration = Duration::from_mins(5);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An image gained a label that names hooks.
    Tag(TagEvent),
    /// A file was read and found to hold an image, which can now be searched for.
    Image(Indexed),
    /// No file holds an image any more, or none that is believed to be there: it is found no more.
    ImageGone {
        /// Identity of its content.
        image: ContentHash,
    },
    /// A label set was applied, or is gone: how many tags came of that, and how many went.
    LabelSet(SetApplied),
    /// A label file is wrong, so that its last good state stays in force; or it is right again, or gone.
    LabelFile {
        /// The set.
        set: String,
        /// What is wrong with it; none where nothing is any more.
        error: Option<String>,
    },
    /// A person decided, or took a decision back.
    Decision(Decision),
    /// A file was read and holds no image.
    Failure {
        /// Where it lies.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A watched folder is away with all that it holds, or is back.
    Root {
        /// The folder.
        path: String,
        /// Whether it is there.
        online: bool,
    },
    /// How far the reading of files is: once a second while there is something to do, and when all is done.
    Progress {
        /// Files that wait to be read, or are being read.
        queued: usize,
        /// Files that were found to hold an image, since the start.
        indexed: usize,
        /// Files that were found to hold none.
        failed: usize,
    },
    /// The library went over to another model: all embeddings, scores and cursors are others.
    Model {
        /// As its owner named it.
        name: String,
        /// What tells its embeddings from those of other models.
        fingerprint: String,
    },
    /// Events that are not told: there were too many for the reader or for the history, or the daemon was started anew.
    Missed {
        /// How many; 0 where that is not known.
        count: usize,
    },
}

/// An event as it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What comes after it is of a larger number.
    number: u64,
    /// What happened.
    pub event: Event,
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
            Event::ImageGone { .. } => "image_gone",
            Event::LabelSet(_) => "label_set",
            Event::LabelFile { .. } => "label_file",
            Event::Decision(_) => "decision",
            Event::Failure { .. } => "failure",
            Event::Root { .. } => "root",
            Event::Progress { .. } => "progress",
            Event::Model { .. } => "model",
            Event::Missed { .. } => "missed",
        }
    }
}

/// Where events are told and heard.
#[derive(Debug)]
pub struct Feed {
    /// Tells this run's events from those of others.
    run: String,
    events: broadcast::Sender<Told>,
    history: Mutex<History>,
    waiting: Mutex<Vec<Sender<()>>>,
}

/// What was told last, for those who come back.
#[derive(Debug, Default)]
struct History {
    /// Of the event to come.
    next: u64,
    last: VecDeque<Told>,
    /// When somebody listened the last time.
    heard: Option<Instant>,
}

impl Default for Feed {
    fn default() -> Feed {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Feed {
            run: format!("{:x}", since_1970.unwrap_or_default().as_millis()),
            events: broadcast::Sender::new(CAPACITY),
            history: Mutex::default(),
            waiting: Mutex::default(),
        }
    }
}

impl Feed {
    /// Tells all readers.
    pub fn tell(&self, event: Event) {
        FIGURES.events.add(event.name(), 1);
        let mut history = locked(&self.history);
        let told = Told {
            number: history.next,
            event,
        };
        history.next += 1;
        if history.last.len() == CAPACITY {
            history.last.pop_front();
        }
        history.last.push_back(told.clone());
        // Nobody reads: nobody is told.
        let _ = self.events.send(told);
    }

    /// Whether anybody reads, or did a moment ago and may come back: nothing is looked up for nobody.
    pub fn is_followed(&self) -> bool {
        let mut history = locked(&self.history);
        if self.events.receiver_count() > 0 {
            history.heard = Some(Instant::now());
        }
        history
            .heard
            .is_some_and(|heard| heard.elapsed() < COMES_BACK_WITHIN)
    }

    /// Somebody listens no more, and may come back.
    pub fn leave(&self) {
        locked(&self.history).heard = Some(Instant::now());
    }

    /// Events from now on.
    pub fn read(&self) -> broadcast::Receiver<Told> {
        locked(&self.history).heard = Some(Instant::now());
        self.events.subscribe()
    }

    /// Events behind that with this id, and those from now on. What is not remembered any more is told as missed.
    pub fn read_behind(&self, id: &str) -> (Vec<Told>, broadcast::Receiver<Told>) {
        let mut history = locked(&self.history);
        history.heard = Some(Instant::now());
        let of_run = id.split_once('-').filter(|(run, _)| *run == self.run);
        let number = of_run.and_then(|(_, number)| number.parse::<u64>().ok());
        let after = number.filter(|number| *number < history.next);
        let next = after.map_or(history.next, |number| number + 1);
        let oldest = history
            .last
            .front()
            .map_or(history.next, |told| told.number);
        let missed = match after {
            Some(_) if next >= oldest => None,
            Some(_) => Some((oldest - next) as usize),
            None => Some(0),
        };
        let missed = missed.map(|count| Told {
            number: oldest.max(next).saturating_sub(1),
            event: Event::Missed { count },
        });
        let behind = history.last.iter().filter(|told| told.number >= next);
        let behind = missed.into_iter().chain(behind.cloned()).collect();
        (behind, self.events.subscribe())
    }

    /// What an event is known by to who comes back.
    pub fn id_of(&self, told: &Told) -> String {
        format!("{}-{}", self.run, told.number)
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
        assert!(!feed.is_followed());
        let mut slow = feed.read();
        assert!(feed.is_followed());
        for count in 0..CAPACITY + 3 {
            feed.tell(Event::Missed { count });
        }
        assert!(matches!(slow.try_recv(), Err(TryRecvError::Lagged(3))));
        assert_eq!(slow.try_recv().unwrap().event, Event::Missed { count: 3 });
        drop(slow);
        assert!(feed.is_followed(), "it may come back");
        // However long it listened before it went.
        let long_ago = Instant::now().checked_sub(2 * COMES_BACK_WITHIN);
        locked(&feed.history).heard = long_ago;
        assert!(!feed.is_followed());
        feed.leave();
        assert!(feed.is_followed());
    }

    #[test]
    fn who_comes_back_is_told_what_happened_meanwhile() {
        let feed = Feed::default();
        let mut first = feed.read();
        let number = |event: &Told| event.number;
        let tell = |counts: std::ops::Range<usize>| {
            counts.for_each(|count| feed.tell(Event::Missed { count: count + 1 }));
        };
        tell(0..3);
        let seen = feed.id_of(&first.try_recv().unwrap());
        drop(first);
        let (behind, mut next) = feed.read_behind(&seen);
        assert_eq!(behind.iter().map(number).collect::<Vec<_>>(), [1, 2]);
        tell(3..4);
        assert_eq!(next.try_recv().unwrap().number, 3);
        // Up to date; long ago; of another run, or of none.
        let last = feed.id_of(&next_of(&feed, &seen));
        assert!(feed.read_behind(&last).0.is_empty());
        tell(4..CAPACITY + 10);
        let (behind, _) = feed.read_behind(&seen);
        assert_eq!(behind[0].event, Event::Missed { count: 9 });
        assert_eq!((behind[1].number, behind.len()), (10, CAPACITY + 1));
        for other in ["", "1-1", "x", &format!("{}-999999", feed.run)] {
            let (behind, _) = feed.read_behind(other);
            assert_eq!(behind.len(), 1, "{other}");
            assert_eq!(behind[0].event, Event::Missed { count: 0 });
            let (behind, _) = feed.read_behind(&feed.id_of(&behind[0]));
            assert!(behind.is_empty(), "{other}");
        }
    }

    /// The last of what is told behind an event.
    fn next_of(feed: &Feed, id: &str) -> Told {
        feed.read_behind(id).0.pop().unwrap()
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
