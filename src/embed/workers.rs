//! The threads that own a tower, and how a batch is shared among them.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{EmbedError, Embedding};

pub(super) type Answer = Result<Vec<Embedding>, EmbedError>;

/// A part of a batch, with the way back.
type Job<T> = (Vec<T>, SyncSender<Answer>);

/// Threads that take parts of batches from one queue, whoever asked. They end when the last handle is dropped.
#[derive(Debug, Clone)]
pub(super) struct Workers<T> {
    jobs: Sender<Job<T>>,
    threads: usize,
    most: usize,
}

impl<T: Send + 'static> Workers<T> {
    /// Starts `threads` threads, each with a worker of its own, which takes up to `most` inputs at once.
    pub(super) fn start<W: FnMut(Vec<T>) -> Answer + Send + 'static>(
        name: &str,
        [threads, most]: [usize; 2],
        worker: impl Fn() -> W,
    ) -> io::Result<Workers<T>> {
        // One waiting part for each thread, so that none is idle while a caller cuts the next.
        let (jobs, queue): (_, Receiver<Job<T>>) = bounded(threads);
        for _ in 0..threads {
            let (queue, mut work) = (queue.clone(), worker());
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    for (inputs, answer) in queue {
                        // Who asked may have gone meanwhile; the next one has not.
                        drop(answer.send(work(inputs)));
                    }
                })?;
        }
        Ok(Workers {
            jobs,
            threads,
            most,
        })
    }

    /// Shares the inputs among the threads and gives the answers in the inputs' order. Blocks while the threads are busy.
    pub(super) fn ask(&self, mut inputs: Vec<T>) -> Answer {
        let part = part_size(inputs.len(), self.threads, self.most);
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

/// Equal parts of at most `most`, as many for each thread.
fn part_size(count: usize, threads: usize, most: usize) -> usize {
    let parts = count.div_ceil(most).next_multiple_of(threads).max(1);
    count.div_ceil(parts).max(1)
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
            assert_eq!(part_size(count, threads, 8), part, "{count} on {threads}");
        }
        assert_eq!(part_size(100, 1, usize::MAX), 100);
    }

    #[test]
    fn answers_come_in_order_whichever_thread_is_first() {
        // Each thread answers only when the other has work too, which an unshared batch would never give it.
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(2));
        let workers = Workers::start("test", [2, 3], || {
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
