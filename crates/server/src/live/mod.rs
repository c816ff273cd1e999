//! The live hub: what each commit changed, for any number of subscribers.
//!
//! Subscribers pull. The hub holds the latest commits in one ring of bounded size that all of
//! them share; each subscriber has a place in the stream and takes what comes after it, out of
//! the ring, or out of the store where the ring no longer has it. So a subscriber that stands
//! still costs nothing but its connection, and the writer never waits for one.
//!
//! Where there are any, a commit is made ready for them on a thread of the hub's own: the writer has
//! no time for it.

mod chunk;
mod frame;
mod index;
mod kept;
pub(crate) mod route;
mod subscriber;

use chunk::Chunk;
use meshscope_model::Batch;
use meshscope_store::{Changes, StreamPosition};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use tokio::sync::{Semaphore, watch};

/// How many subscribers read from the store at a time; more wait.
const READERS: usize = 2;

/// How far the stream is.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// The latest sequence number that is ready to be told.
    sequence: i64,
    /// The server ends.
    ended: bool,
}

/// The latest commits, oldest first.
#[derive(Default)]
struct Ring {
    chunks: VecDeque<Arc<Chunk>>,
    weight: usize,
}

/// What the hub did since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HubState {
    pub(crate) subscribers: usize,
    pub(crate) deltas: u64,
    pub(crate) gaps: u64,
    pub(crate) buffer_bytes: usize,
}

/// The hub.
pub(crate) struct Hub {
    /// The store's name, which is part of every cursor.
    store: String,
    /// The latest sequence number that is committed: where a stream starts that starts now.
    committed: AtomicI64,
    head: watch::Sender<Head>,
    ring: Mutex<Ring>,
    /// Bytes of the ring, about, beside the latest commit.
    capacity: usize,
    /// How many records a subscriber may be behind before it is told of a gap.
    behind: i64,
    subscribers: AtomicUsize,
    deltas: AtomicU64,
    gaps: AtomicU64,
    readers: Semaphore,
}

// A panic while a lock was held leaves plain data; go on with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What tells the hub of commits. The hub's thread ends with it.
pub(crate) struct Publisher {
    hub: Arc<Hub>,
    commits: SyncSender<(Vec<Batch>, Changes)>,
}

impl Publisher {
    /// Takes what a commit changed; called by the writer, which waits only while the commit before is not through. What
    /// it returns is to be dropped when the requests are answered.
    pub(crate) fn publish(&self, batches: Vec<Batch>, changes: Changes) -> Vec<Batch> {
        if changes.is_empty() {
            return batches;
        }
        let hub = &self.hub;
        hub.committed.store(changes.last(), Ordering::SeqCst);
        if hub.subscribers.load(Ordering::SeqCst) == 0 {
            hub.advance(changes.last());
            return batches;
        }
        match self.commits.send((batches, changes)) {
            Ok(()) => Vec::new(),
            Err(SendError((batches, changes))) => {
                tracing::error!("the live stream's thread is gone: its subscribers read from the store");
                hub.advance(changes.last());
                batches
            }
        }
    }
}

impl Hub {
    /// A hub with its thread.
    pub(crate) fn start(
        position: StreamPosition,
        capacity: usize,
        behind: usize,
    ) -> std::io::Result<(Arc<Self>, Publisher)> {
        let head = Head {
            sequence: position.last,
            ended: false,
        };
        let hub = Arc::new(Self {
            store: position.store,
            committed: AtomicI64::new(position.last),
            head: watch::Sender::new(head),
            ring: Mutex::default(),
            capacity,
            behind: i64::try_from(behind).unwrap_or(i64::MAX),
            subscribers: AtomicUsize::new(0),
            deltas: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            readers: Semaphore::new(READERS),
        });
        // None waits between the two: what is on its way to be freed is memory beside the queue's.
        let (commits, received) = sync_channel(0);
        let theirs = Arc::clone(&hub);
        thread::Builder::new()
            .name("meshscope-live".to_owned())
            .spawn(move || {
                for (batches, changes) in received {
                    // Whatever is wrong with one commit, the thread is there for the next.
                    let took = catch_unwind(AssertUnwindSafe(|| theirs.take(batches, &changes)));
                    if took.is_err() {
                        tracing::error!(
                            "a commit is not in the live stream's ring: who follows reads it from the store"
                        );
                        theirs.advance(changes.last());
                    }
                }
            })?;
        let publisher = Publisher {
            hub: Arc::clone(&hub),
            commits,
        };
        Ok((hub, publisher))
    }

    /// Makes a commit ready to be told.
    fn take(&self, mut batches: Vec<Batch>, changes: &Changes) {
        let _past = self.keep(Chunk::new(&mut batches, changes));
        self.advance(changes.last());
        // Who was the last to go may have gone meanwhile.
        if self.subscribers.load(Ordering::SeqCst) == 0 {
            self.clear();
        }
    }

    fn clear(&self) {
        let _past = std::mem::take(&mut *lock(&self.ring));
    }

    /// Wakes those who wait. With nobody there the writer calls it, perhaps of a commit after the one that the hub's
    /// thread is still at.
    fn advance(&self, sequence: i64) {
        self.head
            .send_modify(|head| head.sequence = head.sequence.max(sequence));
    }

    /// Returns the commits that it lets go of: what there is to free in them takes longer than anybody should wait
    /// for the ring.
    fn keep(&self, chunk: Chunk) -> Vec<Arc<Chunk>> {
        let mut ring = lock(&self.ring);
        let mut past = Vec::new();
        ring.weight += chunk.weight;
        ring.chunks.push_back(Arc::new(chunk));
        // The latest stays however large it is: everyone wants it at once.
        while ring.weight > self.capacity && ring.chunks.len() > 1 {
            let Some(oldest) = ring.chunks.pop_front() else {
                break;
            };
            ring.weight -= oldest.weight;
            past.push(oldest);
        }
        past
    }

    /// The latest sequence number that is committed.
    fn committed(&self) -> i64 {
        self.committed.load(Ordering::SeqCst)
    }

    /// The commit that holds the record after `cursor`, or up to where the store must be read
    /// because the ring does not hold it.
    fn find(&self, cursor: i64) -> Result<Arc<Chunk>, i64> {
        let ring = lock(&self.ring);
        let next = ring.chunks.partition_point(|chunk| chunk.last() <= cursor);
        match ring.chunks.get(next) {
            Some(chunk) if chunk.after() <= cursor => Ok(Arc::clone(chunk)),
            Some(chunk) => Err(chunk.after()),
            None => Err(i64::MAX),
        }
    }

    /// The text of a place in the stream.
    fn cursor(&self, sequence: i64) -> String {
        format!("{}.{sequence}", self.store)
    }

    /// Notes that a subscriber is there; the ring is filled while it is.
    fn join(self: &Arc<Self>) -> Joined {
        self.subscribers.fetch_add(1, Ordering::SeqCst);
        Joined(Arc::clone(self))
    }

    /// Ends all streams.
    pub(crate) fn end(&self) {
        self.head.send_modify(|head| head.ended = true);
    }

    pub(crate) fn state(&self) -> HubState {
        HubState {
            subscribers: self.subscribers.load(Ordering::SeqCst),
            deltas: self.deltas.load(Ordering::Relaxed),
            gaps: self.gaps.load(Ordering::Relaxed),
            buffer_bytes: lock(&self.ring).weight,
        }
    }
}

/// A subscriber's presence.
struct Joined(Arc<Hub>);

impl Drop for Joined {
    fn drop(&mut self) {
        if self.0.subscribers.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.clear();
        }
    }
}
