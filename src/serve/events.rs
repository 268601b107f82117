//! The event stream: what happens to the library, sent as it happens.

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
use crate::store::{Event, Feed};

/// Streams at once; each holds a connection for as long as its reader likes.
const MAX_STREAMS: usize = 64;

pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// A stream of what happens from now on.
pub(super) fn open(Request { api, who, .. }: &Request) -> Result<Answer, ApiError> {
    let feed = api.library.store.feed();
    let stream = api.clients.streams.open(feed, who.token.clone())?;
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
    events: Receiver<Event>,
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

    /// An answer that goes on with every event, as long as the token is good that it is asked for with.
    pub(super) fn open(&self, feed: &Feed, token: Option<String>) -> Result<Response, ApiError> {
        let slot = self.slots.clone().try_acquire_owned();
        let stream = Stream {
            events: feed.read(),
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

impl Stream {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Stream)> {
        let event = tokio::select! {
            event = self.events.recv() => event,
            () = self.stop.asked() => return None,
            () = is_removed(&mut self.removed, self.token.as_deref()) => return None,
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => Event::Missed {
                count: count as usize,
            },
            Err(RecvError::Closed) => return None,
        };
        let message = sse::Event::default().event(event.name());
        let message = message.json_data(&event).ok()?;
        Some((Ok(message), self))
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
        let (stop, feed) = (Stop::default(), Feed::default());
        let started = stream(&feed, &stop, None, &broadcast::Sender::new(1));
        (0..1030).for_each(|count| feed.tell(Event::Missed { count }));
        let (message, started) = started.next().await.unwrap();
        let message = message.unwrap().to_string();
        assert!(
            message.contains("event:missed") && message.contains("\"count\":6"),
            "{message}"
        );
        drop(started.next().await.unwrap());
        stop.ask();
        let stream = stream(&feed, &stop, None, &broadcast::Sender::new(1));
        assert!(stream.next().await.is_none());
    }

    fn stream(
        feed: &Feed,
        stop: &Stop,
        token: Option<&str>,
        removed: &broadcast::Sender<String>,
    ) -> Stream {
        let slots = Arc::new(Semaphore::new(1));
        Stream {
            events: feed.read(),
            stop: stop.clone(),
            token: token.map(str::to_owned),
            removed: removed.subscribe(),
            _slot: slots.try_acquire_owned().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_token_and_with_no_other() {
        let (stop, feed, removed) = (Stop::default(), Feed::default(), broadcast::Sender::new(8));
        let of = |token| stream(&feed, &stop, token, &removed);
        let (phone, open) = (of(Some("phone")), of(None));
        removed.send("tv".to_owned()).unwrap();
        feed.tell(Event::Missed { count: 1 });
        let (_, phone) = phone.next().await.unwrap();
        removed.send("phone".to_owned()).unwrap();
        assert!(phone.next().await.is_none());
        assert!(open.next().await.is_some());
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_streams() {
        let (streams, feed) = (Streams::new(Stop::default()), Feed::default());
        let mut open: Vec<_> = (0..MAX_STREAMS)
            .map(|_| streams.open(&feed, None).unwrap())
            .collect();
        assert!(streams.open(&feed, None).is_err());
        open.pop();
        streams.open(&feed, None).unwrap();
    }
}
