//! Connections: how many there may be, how long each may be of no use, and how all of them end.
//!
//! Who only holds a connection keeps nobody out: where there is no room for another, that which was of no use for longest makes room,
//! first of the address that holds the most.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body::{Body, Frame, SizeHint};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Notify;
use tracing::{debug, warn};
use warp::Filter;
use warp::http::Request;
use warp::hyper::body::Incoming;
use warp::hyper::server::conn::http1;
use warp::hyper::service::{Service, service_fn};
use warp::reply::{Reply, Response};

use super::asker::Peer;
use super::socket::{Listeners, Stream};
use crate::stop::Stop;

/// A request's head is there within this time, and so is the next one on a connection that is kept.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// As many bytes of a request's head are held.
const MOST_HEAD_BYTES: usize = 256 << 10;

/// Who takes nothing of an answer for so long makes room for others. A stream of events says something more often.
const STALLED_AFTER: Duration = Duration::from_mins(1);

/// When no descriptor is left for another connection, this is waited for one to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// All connections there are.
#[derive(Debug, Clone)]
struct Connections {
    most: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    /// The next number.
    next: u64,
    all: BTreeMap<u64, Arc<Connection>>,
}

/// One of them.
#[derive(Debug)]
struct Connection {
    peer: Peer,
    /// Requests that are not answered to the end.
    answers: AtomicUsize,
    /// Whether an answer is on its way, so that nothing is waited for but its reader.
    is_sending: AtomicBool,
    used: Mutex<Instant>,
    ended: Notify,
}

/// While it lives there is a connection of this number.
struct Place {
    connections: Connections,
    number: u64,
    connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.connections.open).all.remove(&self.number);
    }
}

impl Connections {
    fn new(most: usize) -> Connections {
        Connections {
            most,
            open: Arc::default(),
        }
    }

    /// Room for another, if need be that of one which is of no use; none where all are.
    fn place(&self, peer: Peer) -> Option<Place> {
        let mut open = locked(&self.open);
        if open.all.len() >= self.most && !open.make_room() {
            return None;
        }
        let connection = Arc::new(Connection {
            peer,
            answers: AtomicUsize::new(0),
            is_sending: AtomicBool::new(false),
            used: Mutex::new(Instant::now()),
            ended: Notify::new(),
        });
        let number = open.next;
        open.next += 1;
        open.all.insert(number, connection.clone());
        Some(Place {
            connections: self.clone(),
            number,
            connection,
        })
    }
}

impl Open {
    /// Ends the connection that is of least use, if one is of none.
    fn make_room(&mut self) -> bool {
        let least = self.least_useful();
        let connection = least.and_then(|number| self.all.remove(&number));
        if let Some(connection) = &connection {
            connection.ended.notify_one();
        }
        connection.is_some()
    }

    /// Of those on which nothing is answered, the one that was used the longest ago, of the address that holds the most.
    fn least_useful(&self) -> Option<u64> {
        let mut held: HashMap<Peer, usize> = HashMap::new();
        for connection in self.all.values() {
            *held.entry(connection.peer).or_default() += 1;
        }
        let idle = self
            .all
            .iter()
            .filter(|(_, connection)| connection.is_idle());
        let least = idle.min_by_key(|(_, connection)| {
            let held = held.get(&connection.peer).copied().unwrap_or_default();
            (usize::MAX - held, *locked(&connection.used))
        });
        least.map(|(number, _)| *number)
    }
}

impl Connection {
    /// Nothing is answered on it, or its reader has taken nothing of the answer for long.
    fn is_idle(&self) -> bool {
        let is_answered = self.answers.load(Ordering::Relaxed) == 0;
        is_answered || self.is_sending.load(Ordering::Relaxed) && self.unused() > STALLED_AFTER
    }

    fn unused(&self) -> Duration {
        locked(&self.used).elapsed()
    }

    fn is_used(&self) {
        *locked(&self.used) = Instant::now();
    }
}

/// While it lives, a request of its connection is being answered.
struct Answering(Arc<Connection>);

impl Answering {
    fn begin(connection: &Arc<Connection>) -> Answering {
        connection.answers.fetch_add(1, Ordering::Relaxed);
        Answering(connection.clone())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.is_used();
        self.0.is_sending.store(false, Ordering::Relaxed);
        self.0.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body, with which the answer ends.
struct Answered<B> {
    body: Pin<Box<B>>,
    answering: Answering,
}

impl<B: Body> Body for Answered<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.answering.0.is_used();
        self.body.as_mut().poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Answers on all connections that come, up to so many at a time, until told to stop; then ends when all are answered.
pub(super) async fn serve<F>(listeners: Listeners, most: usize, answers: F, stop: &Stop)
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Future: Send,
{
    let connections = Connections::new(most);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listeners.accept() => accepted,
            () = stop.asked() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "a connection was not taken");
                // Else no descriptor is left.
                if error.kind() != ErrorKind::ConnectionAborted {
                    locked(&connections.open).make_room();
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = connections.place(peer) else {
            warn!(
                ?peer,
                "turned away: answers are under way on all connections"
            );
            continue;
        };
        let watcher = graceful.watcher();
        let answers = TowerToHyperService::new(warp::service(answers.clone()));
        tokio::spawn(async move {
            let connection = place.connection.clone();
            let service = service_fn(|mut request: Request<Incoming>| {
                let answering = Answering::begin(&connection);
                request.extensions_mut().insert(connection.peer);
                let answer = answers.call(request);
                async move { Ok::<_, Infallible>(whole(answer.await, answering)) }
            });
            let served = served(stream, service);
            tokio::select! {
                served = watcher.watch(served) => {
                    if let Err(error) = served {
                        debug!(%error, "a connection ended early");
                    }
                }
                () = place.connection.ended.notified() => {}
            }
        });
    }
    drop(listeners);
    graceful.shutdown().await;
}

/// An answer whose end is seen.
fn whole(
    answer: Result<Response, Infallible>,
    answering: Answering,
) -> warp::http::Response<Answered<impl Body<Data = warp::hyper::body::Bytes, Error = warp::Error>>>
{
    let answer = match answer {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    answering.0.is_used();
    answering.0.is_sending.store(true, Ordering::Relaxed);
    answer.map(|body| Answered {
        body: Box::pin(body),
        answering,
    })
}

fn served<S, B>(stream: Stream, service: S) -> http1::Connection<TokioIo<Stream>, S>
where
    S: warp::hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MOST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
}

/// How many connections there may be: a part of the descriptors that the process may have, of which pictures and the database need
/// the rest.
pub(super) fn most(wanted: usize) -> usize {
    #[cfg(unix)]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let descriptors = limit.current.unwrap_or(u64::MAX);
        wanted.min(usize::try_from(descriptors / 2).unwrap_or(usize::MAX))
    }
    #[cfg(not(unix))]
    wanted
}

/// What is behind it is sound at every moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Peer {
        Peer(Some([10, 0, 0, last].into()))
    }

    #[test]
    fn who_is_of_no_use_makes_room_and_who_is_answered_does_not() {
        let connections = Connections::new(3);
        let count = || locked(&connections.open).all.len();
        let greedy: Vec<_> = (0..2)
            .map(|_| connections.place(address(1)).unwrap())
            .collect();
        let other = connections.place(address(2)).unwrap();
        let busy = Answering::begin(&greedy[0].connection);
        // The one of the greedy that is idle goes, not the older one that is answered, and not that of the other.
        let third = connections.place(address(3)).unwrap();
        assert_eq!(count(), 3);
        let is_open = |place: &Place| locked(&connections.open).all.contains_key(&place.number);
        assert!(is_open(&greedy[0]) && is_open(&other) && is_open(&third));
        assert!(!is_open(&greedy[1]));
        let all: Vec<_> = [&other, &third]
            .map(|place| Answering::begin(&place.connection))
            .into();
        assert!(connections.place(address(4)).is_none());
        // Who has not read on for long is of no use, though an answer is on its way; who waits for one is.
        let long_ago = Instant::now().checked_sub(2 * STALLED_AFTER).unwrap();
        *locked(&other.connection.used) = long_ago;
        assert!(!other.connection.is_idle());
        other.connection.is_sending.store(true, Ordering::Relaxed);
        assert!(other.connection.is_idle());
        drop((busy, all));
        // Now the first is of no use either; the places of those that left are free.
        drop(third);
        assert_eq!(count(), 2);
        assert!(connections.place(address(4)).is_some());
    }
}
