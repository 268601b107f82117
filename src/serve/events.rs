//! The event stream: what happens to the library, sent as it happens.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
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
pub(super) fn open(Request { api, .. }: &Request) -> Result<Answer, ApiError> {
    let stream = api.clients.streams.open(api.library.store.feed())?;
    Ok(Answer {
        cache: Cache::Never,
        ..Answer::new(MEDIA_TYPE, Content::Stream(stream))
    })
}

/// Room for streams, and their common end.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    slots: Arc<Semaphore>,
    stop: Stop,
}

/// One reader's stream.
struct Stream {
    events: Receiver<Event>,
    stop: Stop,
    _slot: OwnedSemaphorePermit,
}

impl Streams {
    /// That end when told to stop: a server that stops waits for its connections.
    pub(super) fn new(stop: Stop) -> Streams {
        Streams {
            slots: Arc::new(Semaphore::new(MAX_STREAMS)),
            stop,
        }
    }

    /// An answer that goes on with every event.
    pub(super) fn open(&self, feed: &Feed) -> Result<Response, ApiError> {
        let slot = self.slots.clone().try_acquire_owned();
        let stream = Stream {
            events: feed.read(),
            stop: self.stop.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_tells_what_it_missed_and_ends_when_told_to() {
        let (stop, feed) = (Stop::default(), Feed::default());
        let slots = Arc::new(Semaphore::new(1));
        let stream = Stream {
            events: feed.read(),
            stop: stop.clone(),
            _slot: slots.try_acquire_owned().unwrap(),
        };
        (0..1030).for_each(|count| feed.tell(Event::Missed { count }));
        let (message, stream) = stream.next().await.unwrap();
        let message = message.unwrap().to_string();
        assert!(
            message.contains("event:missed") && message.contains("\"count\":6"),
            "{message}"
        );
        drop(stream.next().await.unwrap());
        stop.ask();
        let stream = Stream {
            events: feed.read(),
            stop,
            _slot: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
        };
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_streams() {
        let (streams, feed) = (Streams::new(Stop::default()), Feed::default());
        let mut open: Vec<_> = (0..MAX_STREAMS)
            .map(|_| streams.open(&feed).unwrap())
            .collect();
        assert!(streams.open(&feed).is_err());
        open.pop();
        streams.open(&feed).unwrap();
    }
}
