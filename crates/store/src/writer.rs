//! Group commit: what waits becomes one transaction. Every request is answered after it, or, when
//! much waits, as soon as the journal has it.

use crate::journal::{Journal, Ticket};
use crate::{Store, StoreError, Written};
use meshscope_model::Batch;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many records one transaction takes at the most; what waits beyond goes into the next.
const GROUP: usize = 250_000;
/// How long the writer rests before it tries again to write what the journal has.
const AGAIN: Duration = Duration::from_millis(500);

/// Why a batch was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The queue is full: try again later.
    #[error("the queue is full: {waiting} records wait and {capacity} may")]
    Full {
        /// Records that wait.
        waiting: usize,
        /// Records that may wait.
        capacity: usize,
    },
    /// The store can keep nothing for the moment: the disk is full. Try again later.
    #[error("{0}")]
    Unavailable(String),
    /// The store could not keep it.
    #[error("{0}")]
    Failed(String),
    /// The writer has ended.
    #[error("the server is shutting down")]
    Closed,
}

/// How the queue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueState {
    /// Records that wait.
    pub records: usize,
    /// Records that may wait.
    pub capacity: usize,
    /// Batches refused since the start.
    pub refused: u64,
}

/// A commit, told after it and before its requests are answered.
pub struct Commit {
    /// The records as they came.
    pub batches: Vec<Batch>,
    /// What of them was kept.
    pub written: Written,
    /// How long the store took.
    pub took: Duration,
}

struct Job {
    batch: Batch,
    answer: Answer,
}

/// Who is to learn that a batch is durable.
enum Answer {
    /// One that waits for it.
    Reply(oneshot::Sender<Result<(), WriteError>>),
    /// The journal, whose sender was answered.
    Journal(Ticket),
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    records: usize,
    refused: u64,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    capacity: usize,
    journal: Option<Arc<Journal>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while the lock was held leaves plain data; go on with it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one writer of a store.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the writer; `capacity` is how many records may wait before it refuses more.
    /// `committed` is told of each commit, on the writer's own thread, before its requests are
    /// answered; what it returns is dropped after that. `journal` is where [`Self::submit_kept`]'s
    /// batches are kept.
    pub fn start<T>(
        store: Arc<dyn Store>,
        capacity: usize,
        journal: Option<Arc<Journal>>,
        committed: impl Fn(Commit) -> T + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            arrived: Condvar::new(),
            capacity,
            journal,
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("meshscope-writer".to_owned())
            .spawn(move || work(&theirs, &*store, &committed))?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Keeps `batch`; returns when it is durable. A batch larger than the whole queue is taken
    /// when nothing else waits.
    pub async fn submit(&self, batch: Batch) -> Result<(), WriteError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            if queue.closed {
                return Err(WriteError::Closed);
            }
            if queue.records > 0 && queue.records + batch.len() > self.shared.capacity {
                queue.refused += 1;
                return Err(WriteError::Full {
                    waiting: queue.records,
                    capacity: self.shared.capacity,
                });
            }
            queue.records += batch.len();
            let answer = Answer::Reply(reply);
            queue.jobs.push_back(Job { batch, answer });
        }
        self.shared.arrived.notify_one();
        answer.await.unwrap_or(Err(WriteError::Closed))
    }

    /// Takes a batch that the journal has.
    pub fn submit_kept(&self, batch: Batch, ticket: Ticket) -> Result<(), WriteError> {
        let mut queue = self.shared.lock();
        if queue.closed {
            // The journal is read with the next start.
            return Err(WriteError::Closed);
        }
        queue.records += batch.len();
        let answer = Answer::Journal(ticket);
        queue.jobs.push_back(Job { batch, answer });
        drop(queue);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// Whether a request had better be answered from the journal: `at` records or more wait to be
    /// written, and there is room for as many again.
    #[must_use]
    pub fn is_behind(&self, at: usize) -> bool {
        let records = self.shared.lock().records;
        records >= at && records < self.shared.capacity / 2
    }

    /// How the queue stands.
    #[must_use]
    pub fn queue(&self) -> QueueState {
        let queue = self.shared.lock();
        QueueState {
            records: queue.records,
            capacity: self.shared.capacity,
            refused: queue.refused,
        }
    }

    /// Whether it takes batches and its thread is there to write them.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        !self.shared.lock().closed && thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Takes nothing more, writes what waits and ends the thread. Blocks.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer's thread panicked");
        }
    }
}

fn work<T>(shared: &Shared, store: &dyn Store, committed: &dyn Fn(Commit) -> T) {
    let write = |batches: Vec<Batch>| {
        let start = Instant::now();
        match store.write(&batches) {
            Ok(written) => {
                let took = start.elapsed();
                Ok(committed(Commit {
                    batches,
                    written,
                    took,
                }))
            }
            Err(error) => Err((error, batches)),
        }
    };
    while let Some((batches, answers)) = take(shared) {
        let records: usize = batches.iter().map(Batch::len).sum();
        match write(batches) {
            Ok(_leftover) => answers
                .into_iter()
                .for_each(|answer| shared.answer(answer, Ok(()))),
            // No batch is at fault, so that there is no use in trying each by itself.
            Err((error @ (StoreError::Full { .. } | StoreError::Lost { .. }), batches)) => {
                tracing::error!(%error, records, "nothing can be kept for the moment");
                let error = WriteError::Unavailable(error.to_string());
                let records = shared.take_back(batches, answers, &error);
                shared.lock().records -= records;
                continue;
            }
            Err((error, batches)) if batches.len() == 1 => {
                tracing::error!(%error, records, "a batch was not kept");
                for answer in answers {
                    shared.answer(answer, Err(WriteError::Failed(error.to_string())));
                }
            }
            // One of them is at fault: each by itself, so that it alone fails.
            Err((error, batches)) => {
                tracing::warn!(%error, records, "a group was not kept; trying its batches one by one");
                for (batch, answer) in batches.into_iter().zip(answers) {
                    let result = write(vec![batch]);
                    let kept = result.as_ref().map(|_| ());
                    let kept = kept.map_err(|(error, _)| WriteError::Failed(error.to_string()));
                    shared.answer(answer, kept);
                }
            }
        }
        shared.lock().records -= records;
    }
}

impl Shared {
    fn answer(&self, answer: Answer, result: Result<(), WriteError>) {
        match (answer, result) {
            (Answer::Reply(reply), result) => {
                if reply.send(result).is_err() {
                    tracing::debug!("a client went before its records were durable");
                }
            }
            (Answer::Journal(ticket), Ok(())) => {
                if let Some(journal) = &self.journal {
                    journal.applied(ticket);
                }
            }
            (Answer::Journal(_), Err(error)) => {
                tracing::error!(%error, "a batch stays in the journal, and is tried again with the next start");
            }
        }
    }

    /// Refuses those who wait, and puts back in front what the journal has, to be tried again in a
    /// moment; returns how many records were refused. When the writer is to end, nothing is put
    /// back: the journal is read with the next start.
    fn take_back(&self, batches: Vec<Batch>, answers: Vec<Answer>, error: &WriteError) -> usize {
        let (mut refused, mut again) = (0, Vec::new());
        for (batch, answer) in batches.into_iter().zip(answers) {
            match answer {
                Answer::Journal(_) => again.push(Job { batch, answer }),
                Answer::Reply(_) => {
                    refused += batch.len();
                    self.answer(answer, Err(error.clone()));
                }
            }
        }
        if again.is_empty() {
            return refused;
        }
        let mut queue = self.lock();
        if !queue.closed {
            let waited = self
                .arrived
                .wait_timeout_while(queue, AGAIN, |queue| !queue.closed);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if queue.closed {
            return refused + again.iter().map(|job| job.batch.len()).sum::<usize>();
        }
        again.into_iter().rev().for_each(|job| queue.jobs.push_front(job));
        refused
    }
}

type Group = (Vec<Batch>, Vec<Answer>);

/// Waits for jobs and takes as many as one transaction holds; `None` when closed and empty.
fn take(shared: &Shared) -> Option<Group> {
    let mut queue = shared.lock();
    while queue.jobs.is_empty() {
        if queue.closed {
            return None;
        }
        queue = shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    let mut group = (Vec::new(), Vec::new());
    let mut records = 0;
    while let Some(job) = queue.jobs.front() {
        if records > 0 && records + job.batch.len() > GROUP {
            break;
        }
        records += job.batch.len();
        if let Some(job) = queue.jobs.pop_front() {
            group.0.push(job.batch);
            group.1.push(job.answer);
        }
    }
    Some(group)
}
