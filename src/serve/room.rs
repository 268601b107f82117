//! Room for what requests take: handlers at work, and memory for bodies. Who finds none is told to come again; what must be answered
//! waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::Span;
use warp::Buf;
use warp::http::HeaderMap;
use warp::http::header::CONTENT_LENGTH;
use warp::hyper::body::Bytes;

use super::answer::Answer;
use super::asker::{Asker, Peer};
use super::error::ApiError;

type Result<T> = std::result::Result<T, ApiError>;

/// Memory for the bodies of all requests together.
const BODIES_BYTES: usize = 256 << 20;

/// Memory is handed out in such pieces.
const PIECE_BYTES: usize = 16 << 10;

/// What must be answered is answered within this time, or not well.
const VITAL_WITHIN: Duration = Duration::from_secs(5);

/// Room for what requests take.
#[derive(Debug, Clone)]
pub(super) struct Room {
    /// Handlers that may wait, at once.
    slots: Arc<Semaphore>,
    /// Of these, those that are soon done, at work at once.
    turns: Arc<Semaphore>,
    /// The same for what must be answered however much there is to do.
    vital: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    /// Handlers at once for one client from elsewhere: half of all, so that nobody takes the room of everybody.
    most_each: usize,
    held: Arc<Mutex<HashMap<Peer, usize>>>,
}

/// While it lives, a client has one handler more at work.
#[derive(Debug)]
struct Held {
    peer: Peer,
    held: Arc<Mutex<HashMap<Peer, usize>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.peer);
            }
        }
    }
}

impl Room {
    pub(super) fn new(most_requests: usize) -> Room {
        // Each goes to the model's thread and back, so more than there are cores; with twice as many it is as fast, and who comes last
        // waits a fifth longer.
        let turns = 4 * available_parallelism().map_or(1, usize::from);
        Room {
            slots: Arc::new(Semaphore::new(most_requests)),
            turns: Arc::new(Semaphore::new(turns)),
            vital: Arc::new(Semaphore::new(4)),
            bodies: Arc::new(Semaphore::new(BODIES_BYTES / PIECE_BYTES)),
            most_each: most_requests.div_ceil(2),
            held: Arc::default(),
        }
    }

    /// Room for one handler more of this client. This machine's own may take all there is: many share one address there.
    fn share(&self, asker: &Asker) -> Result<Option<Held>> {
        if asker.is_local {
            return Ok(None);
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(asker.peer).or_default();
        if *count >= self.most_each {
            return Err(ApiError::busy());
        }
        *count += 1;
        Ok(Some(Held {
            peer: asker.peer,
            held: self.held.clone(),
        }))
    }

    /// Runs `work` where it may wait, if there is room for one more.
    pub(super) async fn run(
        &self,
        asker: &Asker,
        work: impl FnOnce() -> Result<Answer> + Send + 'static,
    ) -> Result<Answer> {
        let held = self.share(asker)?;
        let slot = self.slots.clone().try_acquire_owned();
        let slot = slot.map_err(|_| ApiError::busy())?;
        blocking((held, slot), work).await
    }

    /// The same for what is soon done: more of it at once than there are cores would only take turns at that, each with a thread and
    /// a connection to the database of its own.
    pub(super) async fn run_in_turn(
        &self,
        asker: &Asker,
        work: impl FnOnce() -> Result<Answer> + Send + 'static,
    ) -> Result<Answer> {
        let held = self.share(asker)?;
        let slot = self.slots.clone().try_acquire_owned();
        let slot = slot.map_err(|_| ApiError::busy())?;
        let turn = self.turns.clone().acquire_owned().await;
        blocking((held, slot, turn.map_err(ApiError::internal)?), work).await
    }

    /// Runs `work`, which waits for the same of others if it must, but for no other work.
    pub(super) async fn run_vital(
        &self,
        work: impl FnOnce() -> Result<Answer> + Send + 'static,
    ) -> Result<Answer> {
        let slots = self.vital.clone();
        let answered = async {
            let slot = slots.acquire_owned().await.map_err(ApiError::internal)?;
            blocking(slot, work).await
        };
        let late = |_| ApiError::not_ready("it takes too long to answer".to_owned());
        timeout(VITAL_WITHIN, answered).await.map_err(late)?
    }
}

/// Runs `work` where it may wait. What it takes room by is given back when it is done, and not when nobody waits for it any more.
async fn blocking(
    held: impl Send + 'static,
    work: impl FnOnce() -> Result<Answer> + Send + 'static,
) -> Result<Answer> {
    let span = Span::current();
    let done = tokio::task::spawn_blocking(move || {
        let _held = held;
        span.in_scope(work)
    });
    done.await.map_err(ApiError::internal)?
}

/// Reads a body as it comes, up to so many bytes, and only while there is memory for it.
pub(super) async fn whole<S, B>(
    body: S,
    most_bytes: usize,
    headers: &HeaderMap,
    room: &Room,
) -> Result<(Bytes, Vec<OwnedSemaphorePermit>)>
where
    S: Stream<Item = std::result::Result<B, warp::Error>>,
    B: Buf,
{
    let said = headers.get(CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > most_bytes) {
        return Err(ApiError::too_large(most_bytes));
    }
    let mut body = std::pin::pin!(body);
    let (mut bytes, mut held) = (Vec::new(), Vec::new());
    let broken = |_| ApiError::bad_request("bad_request", "the request's body breaks off");
    while let Some(mut piece) = body.try_next().await.map_err(broken)? {
        if bytes.len() + piece.remaining() > most_bytes {
            return Err(ApiError::too_large(most_bytes));
        }
        let wanted = (bytes.len() + piece.remaining()).div_ceil(PIECE_BYTES);
        let more = u32::try_from(wanted.saturating_sub(held.len())).unwrap_or(u32::MAX);
        for _ in 0..more {
            let piece = room.bodies.clone().try_acquire_owned();
            held.push(piece.map_err(|_| ApiError::busy())?);
        }
        while piece.has_remaining() {
            let chunk = piece.chunk();
            bytes.extend_from_slice(chunk);
            let len = chunk.len();
            piece.advance(len);
        }
    }
    Ok((bytes.into(), held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::answer::Content;

    #[test]
    fn a_client_from_elsewhere_takes_half_of_the_room_and_this_machine_all() {
        let room = Room::new(5);
        let asker = |last: u8, is_local| Asker {
            peer: Peer(Some([10, 0, 0, last].into())),
            is_local,
            is_https: false,
            host: None,
        };
        let mut greedy: Vec<_> = (0..3)
            .map(|_| room.share(&asker(1, false)).unwrap())
            .collect();
        assert!(room.share(&asker(1, false)).is_err());
        let other = room.share(&asker(2, false)).unwrap();
        assert!((0..9).all(|_| room.share(&asker(1, true)).unwrap().is_none()));
        greedy.pop();
        greedy.push(room.share(&asker(1, false)).unwrap());
        drop((greedy, other));
        assert!(room.held.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_body_takes_no_more_memory_than_there_is_room_for() {
        let room = Room::new(1);
        let pieces = |count| {
            let pieces = (0..count).map(|_| Ok(Bytes::from(vec![1; 10_000])));
            futures_util::stream::iter(pieces)
        };
        let headers = HeaderMap::new();
        let (bytes, held) = whole(pieces(5), 50_000, &headers, &room).await.unwrap();
        assert_eq!((bytes.len(), held.len()), (50_000, 4));
        assert!(whole(pieces(6), 50_000, &headers, &room).await.is_err());
        let others = room
            .bodies
            .clone()
            .acquire_many_owned(16_379)
            .await
            .unwrap();
        assert!(whole(pieces(5), 50_000, &headers, &room).await.is_err());
        drop(others);
        assert!(whole(pieces(5), 50_000, &headers, &room).await.is_ok());
        drop(held);
    }

    #[tokio::test]
    async fn what_must_be_answered_waits_for_its_like_and_for_nothing_else() {
        let room = Room::new(1);
        let busy = room.slots.clone().acquire_owned().await.unwrap();
        let given = || Ok(Answer::new("text/plain", Content::Bytes("ok".into())));
        let asks: Vec<_> = (0..64)
            .map(|_| {
                let room = room.clone();
                tokio::spawn(async move { room.run_vital(given).await })
            })
            .collect();
        for ask in asks {
            ask.await.unwrap().unwrap();
        }
        drop(busy);
    }
}
