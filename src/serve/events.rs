//! The event stream: what happens to the library, sent as it happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use warp::reply::{Reply, Response};
use warp::sse;

use super::answer::{Answer, Cache, Content};
use super::error::ApiError;
use super::request::Request;
use crate::stop::Stop;
use crate::store::{Event, Store, Told};

/// Streams at once; each holds a connection for as long as its reader likes.
const MAX_STREAMS: usize = 64;

pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// A stream of what happens from now on.
pub(super) fn open(request: &Request) -> Result<Answer, ApiError> {
    let Request {
        api, who, headers, ..
    } = request;
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok());
    let streams = &api.clients.streams;
    let stream = streams.open(&api.library.store, last, who.token.clone())?;
    // Taken back since it was looked at, it is heard of by no stream that was not open yet.
    if let Some(token) = &who.token {
        let tokens = api.library.store.tokens()?;
        if !tokens.iter().any(|one| one.name == *token) {
            return Err(ApiError::token_unknown());
        }
    }
    Ok(Answer {
        cache: Cache::Never,
        ..Answer::new(MEDIA_TYPE, Content::Response(stream))
    })
}

/// Room for streams, and their common end.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    slots: Arc<Semaphore>,
    stop: Stop,
    /// Tokens that are taken back.
    removed: broadcast::Sender<String>,
}

/// One reader's stream.
struct Stream {
    store: Store,
    /// What is told first.
    behind: VecDeque<Told>,
    events: Receiver<Told>,
    stop: Stop,
    /// The token that it was asked for with.
    token: Option<String>,
    removed: Receiver<String>,
    _slot: OwnedSemaphorePermit,
}

impl Streams {
    /// That end when told to stop: a server that stops waits for its connections.
    pub(super) fn new(stop: Stop) -> Streams {
        Streams {
            slots: Arc::new(Semaphore::new(MAX_STREAMS)),
            stop,
            removed: broadcast::Sender::new(MAX_STREAMS),
        }
    }

    /// Ends those that were asked for with a token.
    pub(super) fn end_of(&self, token: &str) {
        // Nobody listens: nobody is to be ended.
        let _ = self.removed.send(token.to_owned());
    }

    /// An answer that goes on with every event, as long as the token is good that it is asked for with. Who was cut off behind an
    /// event is told first what happened meanwhile.
    pub(super) fn open(
        &self,
        store: &Store,
        last: Option<&str>,
        token: Option<String>,
    ) -> Result<Response, ApiError> {
        let slot = self.slots.clone().try_acquire_owned();
        let feed = store.feed();
        let (behind, events) = match last {
            Some(id) => feed.read_behind(id),
            None => (Vec::new(), feed.read()),
        };
        let stream = Stream {
            store: store.clone(),
            behind: behind.into(),
            events,
            stop: self.stop.clone(),
            token,
            removed: self.removed.subscribe(),
            _slot: slot.map_err(|_| ApiError::busy())?,
        };
        // A comment now and then tells both ends that the other is there.
        let events = sse::keep_alive().stream(stream::unfold(stream, Stream::next));
        Ok(sse::reply(events).into_response())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.store.feed().leave();
    }
}

impl Stream {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Stream)> {
        let (id, event) = match self.behind.pop_front() {
            Some(told) => (Some(self.store.feed().id_of(&told)), told.event),
            None => self.heard().await?,
        };
        let message = sse::Event::default().event(event.name());
        let message = match id {
            Some(id) => message.id(id),
            None => message,
        };
        let message = message.json_data(&event).ok()?;
        Some((Ok(message), self))
    }

    /// The next event with its id; none at the end.
    async fn heard(&mut self) -> Option<(Option<String>, Event)> {
        let told = tokio::select! {
            told = self.events.recv() => told,
            () = self.stop.asked() => return None,
            () = is_removed(&mut self.removed, self.token.as_deref()) => return None,
        };
        match told {
            Ok(told) => Some((Some(self.store.feed().id_of(&told)), told.event)),
            // Who comes back goes on behind the last that they heard.
            Err(RecvError::Lagged(count)) => Some((
                None,
                Event::Missed {
                    count: count as usize,
                },
            )),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Waits until this token is taken back, or so many that this one may be among them.
async fn is_removed(removed: &mut Receiver<String>, token: Option<&str>) {
    let Some(token) = token else {
        return std::future::pending().await;
    };
    while let Ok(other) = removed.recv().await {
        if other == token {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_tells_what_it_missed_and_ends_when_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let (stop, store) = (Stop::default(), Store::open(folder.path()).unwrap());
        let started = stream(&store, &stop, None, &broadcast::Sender::new(1));
        (0..1030).for_each(|count| store.feed().tell(Event::Missed { count }));
        let (message, started) = started.next().await.unwrap();
        let message = message.unwrap().to_string();
        assert!(
            message.contains("event:missed") && message.contains("\"count\":6"),
            "{message}"
        );
        drop(started.next().await.unwrap());
        stop.ask();
        let stream = stream(&store, &stop, None, &broadcast::Sender::new(1));
        assert!(stream.next().await.is_none());
    }

    fn stream(
        store: &Store,
        stop: &Stop,
        token: Option<&str>,
        removed: &broadcast::Sender<String>,
    ) -> Stream {
        let slots = Arc::new(Semaphore::new(1));
        Stream {
            store: store.clone(),
            behind: VecDeque::new(),
            events: store.feed().read(),
            stop: stop.clone(),
            token: token.map(str::to_owned),
            removed: removed.subscribe(),
            _slot: slots.try_acquire_owned().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_token_and_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (stop, removed) = (Stop::default(), broadcast::Sender::new(8));
        let store = Store::open(folder.path()).unwrap();
        let of = |token| stream(&store, &stop, token, &removed);
        let (phone, open) = (of(Some("phone")), of(None));
        removed.send("tv".to_owned()).unwrap();
        store.feed().tell(Event::Missed { count: 1 });
        let (_, phone) = phone.next().await.unwrap();
        removed.send("phone".to_owned()).unwrap();
        assert!(phone.next().await.is_none());
        assert!(open.next().await.is_some());
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_streams() {
        let folder = tempfile::tempdir().unwrap();
        let streams = Streams::new(Stop::default());
        let store = Store::open(folder.path()).unwrap();
        let mut open: Vec<_> = (0..MAX_STREAMS)
            .map(|_| streams.open(&store, None, None).unwrap())
            .collect();
        assert!(streams.open(&store, None, None).is_err());
        open.pop();
        streams.open(&store, None, None).unwrap();
    }
}
