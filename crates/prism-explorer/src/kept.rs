//! Finished replies, kept for the next who asks: as many bytes as fit, and not for long.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;

use super::reply::Reply;

/// Replies by address, all made when the runs bore the same stamp.
#[derive(Debug)]
pub struct Kept {
    most: usize,
    fresh: Duration,
    stamp: u64,
    bytes: usize,
    /// Addresses, the oldest first.
    order: VecDeque<String>,
    all: HashMap<String, (Instant, Arc<Reply>)>,
}

impl Kept {
    /// Room for `most` bytes of replies, each kept for `fresh`.
    pub fn new(most: usize, fresh: Duration) -> Self {
        Self { most, fresh, stamp: 0, bytes: 0, order: VecDeque::new(), all: HashMap::new() }
    }

    /// The reply of an address, if it was made at this stamp and lately. Those of another stamp go.
    pub fn get(&mut self, address: &str, stamp: u64) -> Option<Arc<Reply>> {
        if stamp != self.stamp {
            self.clear();
            self.stamp = stamp;
        }
        while let Some(oldest) = self.order.front()
            && self.all.get(oldest).is_none_or(|(made, _)| made.elapsed() >= self.fresh)
        {
            self.drop_oldest();
        }
        self.all.get(address).map(|(_, reply)| Arc::clone(reply))
    }

    /// Keeps a reply, if it is one to keep and the stamp is still that of the runs.
    pub fn put(&mut self, address: &str, stamp: u64, reply: &Arc<Reply>) {
        let lasting = matches!(reply.status, StatusCode::OK | StatusCode::NOT_FOUND);
        let size = size(address, reply);
        if stamp != self.stamp || !lasting || size > self.most || self.all.contains_key(address) {
            return;
        }
        while self.bytes + size > self.most {
            self.drop_oldest();
        }
        self.bytes += size;
        self.order.push_back(address.to_string());
        self.all.insert(address.to_string(), (Instant::now(), Arc::clone(reply)));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.order.clear();
        self.all.clear();
        self.bytes = 0;
    }

    fn drop_oldest(&mut self) {
        let Some(address) = self.order.pop_front() else { return self.clear() };
        if let Some((_, reply)) = self.all.remove(&address) {
            self.bytes = self.bytes.saturating_sub(size(&address, &reply));
        }
    }
}

/// What a kept reply takes, bytes.
fn size(address: &str, reply: &Reply) -> usize {
    /// Of the tables that hold it.
    const BESIDE: usize = 256;
    BESIDE + 2 * address.len() + reply.body.len() + reply.policy.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(bytes: usize) -> Arc<Reply> {
        Arc::new(Reply::of("text/plain", vec![b'x'; bytes]))
    }

    #[test]
    fn a_reply_is_shared_until_the_stamp_changes() {
        let mut kept = Kept::new(10_000, Duration::from_secs(60));
        assert!(kept.get("/a", 1).is_none());
        let made = reply(100);
        kept.put("/a", 1, &made);
        let (first, second) = (kept.get("/a", 1).unwrap(), kept.get("/a", 1).unwrap());
        assert_eq!(first.body.as_ptr(), made.body.as_ptr());
        assert_eq!(first.body.as_ptr(), second.body.clone().as_ptr(), "a copy is the same bytes");
        assert!(kept.get("/a?page=2", 1).is_none());
        assert!(kept.get("/a", 2).is_none() && kept.get("/a", 1).is_none());
        // One that was begun before the change is not kept after it.
        assert!(kept.get("/a", 3).is_none());
        kept.put("/a", 1, &made);
        assert!(kept.get("/a", 3).is_none());
    }

    #[test]
    fn the_oldest_go_when_there_is_no_room() {
        let mut kept = Kept::new(10_000, Duration::from_secs(60));
        assert!(kept.get("/", 1).is_none());
        for address in ["/a", "/b", "/c"] {
            kept.put(address, 1, &reply(4_000));
        }
        assert!(kept.get("/a", 1).is_none() && kept.get("/b", 1).is_some() && kept.get("/c", 1).is_some());
        kept.put("/large", 1, &reply(20_000));
        assert!(kept.get("/large", 1).is_none() && kept.get("/c", 1).is_some());
        assert!(kept.bytes <= 10_000);
        kept.put("/refused", 1, &Arc::new(Reply::busy("Later.")));
        assert!(kept.get("/refused", 1).is_none());
    }

    #[test]
    fn none_is_kept_for_long() {
        let mut kept = Kept::new(10_000, Duration::ZERO);
        assert!(kept.get("/a", 1).is_none());
        kept.put("/a", 1, &reply(10));
        assert!(kept.get("/a", 1).is_none() && kept.bytes == 0);
    }
}
