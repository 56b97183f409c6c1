//! Pages made away from the listeners.
//!
//! Equal requests get one page, made once. Few pages are made at the same time, those that read
//! much fewer still, and those of one run fewer than these: so a slow run leaves room for the
//! others, and the list of runs never waits for any. What is ready takes its place among the
//! bodies in memory, which are counted, and leaves it when the last client has read it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

use super::Explorer;
use super::bodies::Bodies;
use super::flights::{Flight, Flights, Late, landed};
use super::kept::Kept;
use super::library::Snapshot;
use super::limits::Limits;
use super::reply::Reply;
use super::turns::{Turns, Weight};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Path, and query where the page depends on it: the same gets the same.
    address: String,
    weight: Weight,
}

impl Asked {
    /// A page that reads little.
    pub fn light(address: impl Into<String>) -> Self {
        Self { address: address.into(), weight: Weight::Light }
    }

    /// A page of the run of that id.
    pub fn of_run(address: impl Into<String>, id: &str) -> Self {
        Self { address: address.into(), weight: Weight::OfRun(id.into()) }
    }

    /// A page of several runs.
    pub fn of_many(address: impl Into<String>) -> Self {
        Self { address: address.into(), weight: Weight::OfMany }
    }
}

/// Makes the pages of an explorer.
#[derive(Debug)]
pub struct Maker {
    explorer: Arc<Explorer>,
    limits: Limits,
    looks: Arc<Flights<Arc<Snapshot>>>,
    pages: Arc<Flights<Arc<Reply>>>,
    kept: Mutex<Kept>,
    bodies: Bodies,
    turns: Turns,
}

impl Maker {
    /// A maker of this explorer's pages.
    pub fn new(explorer: Arc<Explorer>, limits: Limits) -> Self {
        Self {
            looks: Arc::default(),
            pages: Arc::default(),
            kept: Mutex::new(Kept::new(limits.kept, limits.fresh)),
            bodies: Bodies::new(limits.bodies),
            turns: Turns::new(&limits),
            explorer,
            limits,
        }
    }

    /// Threads that it may need at the same time.
    pub fn threads(limits: &Limits) -> usize {
        // One looks for runs.
        Turns::most(limits) + 1
    }

    /// The answer to what is asked: kept, shared with others who ask for it now, or made.
    pub async fn answer(self: &Arc<Self>, asked: Asked, make: impl FnOnce(&Explorer) -> Reply + Send + 'static) -> Arc<Reply> {
        let snapshot = match self.look().await {
            Ok(snapshot) => snapshot,
            Err(late) => return self.late(late),
        };
        let Asked { address, weight } = asked;
        let stamp = snapshot.stamp;
        let kept = self.kept().get(&address, stamp);
        if let Some(reply) = kept {
            return reply;
        }
        let weight = match weight {
            // To say that there is no such run takes no reading.
            Weight::OfRun(id) if snapshot.run(&id).is_none() => Weight::Light,
            other => other,
        };
        let maker = Arc::clone(self);
        let told = self.pages.join(&format!("{stamp:016x} {address}"), move |flight| async move {
            maker.make(&address, stamp, &weight, &flight, make).await
        });
        match landed(told, self.limits.turn, self.limits.making).await {
            Ok(reply) => reply,
            Err(late) => self.late(late),
        }
    }

    /// The runs, looked for by one for all who want to know.
    async fn look(self: &Arc<Self>) -> Result<Arc<Snapshot>, Late> {
        if let Some(snapshot) = self.explorer.library.fresh() {
            return Ok(snapshot);
        }
        let explorer = Arc::clone(&self.explorer);
        let told = self.looks.join("", |flight| async move {
            flight.begin();
            tokio::task::spawn_blocking(move || explorer.library.snapshot()).await.ok()
        });
        landed(told, self.limits.turn, self.limits.turn).await
    }

    async fn make(
        &self,
        address: &str,
        stamp: u64,
        weight: &Weight,
        flight: &Flight<Arc<Reply>>,
        make: impl FnOnce(&Explorer) -> Reply + Send + 'static,
    ) -> Option<Arc<Reply>> {
        let _turn = self.turns.wait(weight).await?;
        if !flight.begin() {
            return None;
        }
        self.explorer.made.fetch_add(1, Ordering::Relaxed);
        let explorer = Arc::clone(&self.explorer);
        let made = tokio::task::spawn_blocking(move || make(&explorer)).await;
        let reply = Arc::new(made.map_or_else(|_| broken(), |reply| self.placed(reply)));
        self.kept().put(address, stamp, &reply);
        Some(reply)
    }

    /// The reply with its body counted, or a refusal where there is no room for it.
    fn placed(&self, reply: Reply) -> Reply {
        let bytes = reply.body.len();
        if bytes > self.limits.body {
            let text = format!("This page would be {} MiB, more than the {} the explorer sends.", bytes >> 20, self.limits.body >> 20);
            return Reply::refused(StatusCode::INTERNAL_SERVER_ERROR, &text);
        }
        let place = || self.bodies.placed(reply.body.clone());
        let freed = || {
            self.kept().clear();
            place()
        };
        match place().or_else(freed) {
            Some(body) => Reply { body, ..reply },
            None => Reply::busy("Too many answers wait to be read by those who asked for them. Ask again."),
        }
    }

    fn late(&self, late: Late) -> Arc<Reply> {
        let seconds = self.limits.turn.as_secs();
        Arc::new(match late {
            Late::Waits => {
                Reply::busy(&format!("Too much is asked of the explorer: this page waited {seconds} s for its turn. Ask again."))
            }
            Late::Runs => Reply::busy("This page takes long and is still being made. Ask again in a while."),
            Late::Broke => broken(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broken() -> Reply {
    Reply::refused(StatusCode::INTERNAL_SERVER_ERROR, "This page could not be made; report it as a bug.")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::time::Duration;

    use prism_run::manifest::Manifest;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn limits() -> Limits {
        Limits { turn: LONG, making: LONG, ..Limits::default() }
    }

    /// The maker of an explorer of two runs, `a` and `b`, that have only begun.
    fn with_maker(limits: Limits, work: impl AsyncFnOnce(&Arc<Maker>)) {
        let dir = tempfile::tempdir().unwrap();
        let manifest = serde_json::json!({"schema": 1, "kind": "audit", "version": "0", "command": [], "commit": "", "host": "",
            "device": "", "dtype": "", "threads": 1, "inputs": {}, "started": ""});
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        for name in ["r/a", "r/b"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
            manifest.write(&dir.path().join(name)).unwrap();
        }
        let explorer = Arc::new(Explorer::open(&[dir.path().join("r")]).unwrap());
        let there = explorer.library.snapshot();
        assert!(there.run("r-a").is_some() && there.run("r-b").is_some());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let maker = Arc::new(Maker::new(explorer, limits));
        runtime.block_on(work(&maker));
    }

    /// Pages that take until the other end is dropped, and say when they have begun.
    fn slow() -> (impl Fn(&Explorer) -> Reply + Clone + Send + 'static, mpsc::Sender<()>, mpsc::Receiver<()>) {
        let ((stop, stopped), (tell, begun)) = (mpsc::channel::<()>(), mpsc::channel());
        let stopped = Arc::new(Mutex::new(stopped));
        let make = move |_: &Explorer| {
            let _ = tell.send(());
            let _ = stopped.lock().map(|stopped| stopped.recv());
            Reply::page("slow".into())
        };
        (make, stop, begun)
    }

    async fn until(begun: &mpsc::Receiver<()>) {
        while let Err(told) = begun.try_recv() {
            assert_eq!(told, mpsc::TryRecvError::Empty, "no page will ever begin");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[test]
    fn equal_requests_share_the_bytes_of_one_reply() {
        with_maker(limits(), async |maker: &Arc<Maker>| {
            let times = Arc::new(AtomicUsize::new(0));
            let mut asked = Vec::new();
            for _ in 0..90 {
                let (maker, times) = (Arc::clone(maker), Arc::clone(&times));
                asked.push(tokio::spawn(async move {
                    let make = move |_: &Explorer| {
                        times.fetch_add(1, Ordering::Relaxed);
                        Reply::page("x".repeat(1 << 20))
                    };
                    maker.answer(Asked::of_run("/runs/r-a/report", "r-a"), make).await
                }));
            }
            let mut replies = Vec::new();
            for reply in asked {
                replies.push(reply.await.unwrap());
            }
            assert_eq!(times.load(Ordering::Relaxed), 1);
            assert!(replies.iter().all(|reply| reply.body.as_ptr() == replies[0].body.as_ptr() && reply.body.len() == 1 << 20));
        });
    }

    #[test]
    fn a_slow_run_leaves_room_for_the_others() {
        with_maker(limits(), async |maker: &Arc<Maker>| {
            let (make, stop, begun) = slow();
            let mut pages = Vec::new();
            for page in 0..8 {
                let (maker, make) = (Arc::clone(maker), make.clone());
                pages.push(tokio::spawn(
                    async move { maker.answer(Asked::of_run(format!("/runs/r-a?page={page}"), "r-a"), make).await.status },
                ));
            }
            until(&begun).await;
            let quick = |_: &Explorer| Reply::page("quick".into());
            assert_eq!(maker.answer(Asked::of_run("/runs/r-b", "r-b"), quick).await.status, StatusCode::OK);
            assert_eq!(maker.answer(Asked::light("/"), quick).await.status, StatusCode::OK);
            // Eight were asked for, and never more than two of them made at the same time.
            until(&begun).await;
            assert!(begun.try_recv().is_err());
            drop(stop);
            for page in pages {
                assert_eq!(page.await.unwrap(), StatusCode::OK);
            }
        });
    }

    #[test]
    fn a_page_whose_turn_does_not_come_is_refused_and_not_made() {
        with_maker(Limits { light: 1, turn: Duration::from_millis(200), ..limits() }, async |maker: &Arc<Maker>| {
            let (make, stop, begun) = slow();
            let first = tokio::spawn({
                let maker = Arc::clone(maker);
                async move { maker.answer(Asked::light("/slow"), make).await.status }
            });
            until(&begun).await;
            let refused = maker.answer(Asked::light("/other"), |_| Reply::page("other".into())).await;
            assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
            drop(stop);
            assert_eq!(first.await.unwrap(), StatusCode::OK);
            // The turn of the page that was refused would have come before this one's.
            let third = maker.answer(Asked::light("/third"), |_| Reply::page("third".into())).await;
            assert_eq!((third.status, maker.explorer.made.load(Ordering::Relaxed)), (StatusCode::OK, 2));
        });
    }

    #[test]
    fn bodies_in_memory_are_counted_until_they_are_dropped() {
        with_maker(Limits { bodies: 3 << 20, kept: 2 << 20, body: 2 << 20, ..limits() }, async |maker: &Arc<Maker>| {
            let page = |address: &'static str, bytes: usize| maker.answer(Asked::light(address), move |_| Reply::page("x".repeat(bytes)));
            let first = page("/1", 1 << 20).await;
            let second = page("/2", 1 << 20).await;
            let third = page("/3", 1 << 20).await;
            assert!([&first, &second, &third].iter().all(|reply| reply.status == StatusCode::OK));
            assert_eq!(page("/4", 1 << 20).await.status, StatusCode::SERVICE_UNAVAILABLE);
            drop(second);
            assert_eq!(page("/4", 1 << 20).await.status, StatusCode::OK);
            assert_eq!(page("/5", 3 << 20).await.status, StatusCode::INTERNAL_SERVER_ERROR);
        });
    }
}
