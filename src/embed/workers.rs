//! The threads that own a tower, and how a batch is shared among them.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{EmbedError, Embedding};
use crate::priority;

pub(super) type Answer = Result<Vec<Embedding>, EmbedError>;

/// A part of a batch, with the way back.
type Job<T> = (Vec<T>, SyncSender<Answer>);

/// Among how many a batch is shared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) threads: usize,
    /// Inputs that a thread takes at once.
    pub(super) most: usize,
    /// Whether its work is mostly of the background.
    pub(super) gives_way: bool,
}

/// Threads that take parts of batches from one queue, whoever asked. They end when the last handle is dropped.
#[derive(Debug, Clone)]
pub(super) struct Workers<T> {
    jobs: Sender<Job<T>>,
    share: Share,
}

impl<T: Send + 'static> Workers<T> {
    /// Starts threads, each with a worker of its own.
    pub(super) fn start<W: FnMut(Vec<T>) -> Answer + Send + 'static>(
        name: &str,
        share: Share,
        worker: impl Fn() -> W,
    ) -> io::Result<Workers<T>> {
        // One waiting part for each thread, so that none is idle while a caller cuts the next.
        let (jobs, queue): (_, Receiver<Job<T>>) = bounded(share.threads);
        for _ in 0..share.threads {
            let queue = queue.clone();
            let mut work = worker();
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    if share.gives_way {
                        priority::give_way();
                    }
                    for (inputs, answer) in queue {
                        // Who asked may have gone meanwhile; the next one has not.
                        drop(answer.send(work(inputs)));
                    }
                })?;
        }
        Ok(Workers { jobs, share })
    }

    /// Shares the inputs among the threads and gives the answers in the inputs' order. Blocks while the threads are busy.
    pub(super) fn ask(&self, mut inputs: Vec<T>) -> Answer {
        let part = self.share.part_size(inputs.len());
        let mut answers = Vec::new();
        while !inputs.is_empty() {
            let rest = inputs.split_off(part.min(inputs.len()));
            let (sender, answer) = sync_channel(1);
            self.jobs
                .send((inputs, sender))
                .map_err(|_| EmbedError::Stopped)?;
            answers.push(answer);
            inputs = rest;
        }
        let mut all = Vec::new();
        for answer in answers {
            all.extend(answer.recv().map_err(|_| EmbedError::Stopped)??);
        }
        Ok(all)
    }
}

impl Share {
    /// Equal parts of at most `most`, as many for each thread.
    fn part_size(self, count: usize) -> usize {
        let parts = count.div_ceil(self.most);
        let parts = parts.next_multiple_of(self.threads).max(1);
        count.div_ceil(parts).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_gets_as_many_equal_parts() {
        for (count, threads, part) in [
            (0, 2, 1),
            (1, 2, 1),
            (8, 2, 4),
            (16, 2, 8),
            (20, 2, 5),
            (32, 2, 8),
            (9, 1, 5),
        ] {
            let share = Share {
                threads,
                most: 8,
                gives_way: false,
            };
            assert_eq!(share.part_size(count), part, "{count} on {threads}");
        }
        let all = Share {
            threads: 1,
            most: usize::MAX,
            gives_way: false,
        };
        assert_eq!(all.part_size(100), 100);
    }

    #[test]
    fn answers_come_in_order_whichever_thread_is_first() {
        // Each thread answers only when the other has work too, which an unshared batch would never give it.
        let share = Share {
            threads: 2,
            most: 3,
            gives_way: false,
        };
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(2));
        let workers = Workers::start("test", share, || {
            let barrier = barrier.clone();
            move |inputs: Vec<u8>| {
                barrier.wait();
                Ok(inputs
                    .iter()
                    .map(|input| Embedding::new(vec![f32::from(*input), 1.0]).unwrap())
                    .collect())
            }
        })
        .unwrap();
        let answer = workers.ask((0..12).collect()).unwrap();
        for (input, embedding) in (0..12).zip(answer) {
            assert_eq!(
                embedding,
                Embedding::new(vec![f32::from(input as u8), 1.0]).unwrap()
            );
        }
    }
}
