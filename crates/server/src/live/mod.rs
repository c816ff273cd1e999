//! The live hub: what each commit changed, for any number of subscribers.
//!
//! Subscribers pull. The hub holds the latest commits in one ring of bounded size that all of
//! them share; each subscriber has a place in the stream and takes what comes after it, out of
//! the ring, or out of the store where the ring no longer has it. So a subscriber that stands
//! still costs nothing but its connection, and the writer never waits for one.

mod chunk;
mod frame;
mod index;
pub(crate) mod route;
mod subscriber;

use chunk::{Chunk, Leftover};
use meshscope_model::Batch;
use meshscope_store::{Changes, StreamPosition};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, watch};

/// How many subscribers read from the store at a time; more wait.
const READERS: usize = 2;

/// How far the stream is.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// The latest sequence number that is committed.
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

impl Hub {
    pub(crate) fn new(position: StreamPosition, capacity: usize, behind: usize) -> Self {
        let head = Head {
            sequence: position.last,
            ended: false,
        };
        Self {
            store: position.store,
            head: watch::Sender::new(head),
            ring: Mutex::default(),
            capacity,
            behind: i64::try_from(behind).unwrap_or(i64::MAX),
            subscribers: AtomicUsize::new(0),
            deltas: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            readers: Semaphore::new(READERS),
        }
    }

    /// Takes what a commit changed; called by the writer. What it returns is to be dropped when
    /// the requests are answered.
    pub(crate) fn publish(&self, batches: Vec<Batch>, changes: Changes) -> Leftover {
        if changes.is_empty() {
            return Leftover::of(batches);
        }
        let sequence = changes.last();
        let (chunk, mut leftover) = if self.subscribers.load(Ordering::SeqCst) == 0 {
            (None, Leftover::of(batches))
        } else {
            let (chunk, leftover) = Chunk::new(batches, changes);
            (Some(chunk), leftover)
        };
        leftover.past = self.keep(chunk);
        self.head.send_modify(|head| head.sequence = sequence);
        leftover
    }

    /// Returns the commits that it lets go of: what there is to free in them takes longer than anybody should wait
    /// for the ring.
    fn keep(&self, chunk: Option<Chunk>) -> Vec<Arc<Chunk>> {
        let mut ring = lock(&self.ring);
        let Some(chunk) = chunk else {
            return std::mem::take(&mut *ring).chunks.into();
        };
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
            *lock(&self.0.ring) = Ring::default();
        }
    }
}
