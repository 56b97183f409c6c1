//! The addresses.
//!
//! | address | what |
//! |---|---|
//! | `/` | the runs, those that hold some words |
//! | `/runs/ID` | a run: its findings |
//! | `/runs/ID/report` | its page, if it has one |
//! | `/runs/ID/examples` | its examples, filtered |
//! | `/runs/ID/examples/ROW` | one example |
//! | `/runs/ID/examples/ROW/image` | its first image |
//! | `/folders/ID/report` | the page of a folder given at the start |
//! | `/compare` | runs side by side |
//! | `/api/...json` | the same as JSON |
//! | `/api/version` | changes when what a page shows does |

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{Response, Uri};
use axum::middleware::{Next, from_fn};
use axum::routing::get;

use super::connections::Connection;
use super::guard::{self, Guard, Passage};
use super::maker::{Asked, Maker};
use super::reply::Reply;
use super::{Explorer, api, compare, example, examples, frame, home, report_file, run};

type Shared = State<Arc<Maker>>;
type Id = Path<String>;
type IdAndRow = Path<(String, String)>;

/// The router of an explorer, for those whom the guard lets pass.
pub fn router(maker: Arc<Maker>, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    Router::new()
        .merge(pages())
        .merge(json())
        .merge(still())
        .fallback(|| async { guard::to_response(&Reply::unknown("page")) })
        .layer(from_fn(move |request: Request, next: Next| pass(Arc::clone(&guard), request, next)))
        .with_state(maker)
}

fn pages() -> Router<Arc<Maker>> {
    Router::new()
        .route("/", get(|s: Shared, u: Uri, q: RawQuery| answer(s, Asked::light(whole(&u)), move |e| home::page(e, &text(q)))))
        .route("/runs/{id}", get(|s: Shared, u: Uri, Path(id): Id| answer(s, Asked::of_run(u.path(), &id), move |e| run::page(e, &id))))
        .route(
            "/runs/{id}/report",
            get(|s: Shared, u: Uri, Path(id): Id| answer(s, Asked::of_run(u.path(), &id), move |e| report_file::of_run(e, &id))),
        )
        .route(
            "/runs/{id}/examples",
            get(|s: Shared, u: Uri, Path(id): Id, q: RawQuery| {
                answer(s, Asked::of_run(whole(&u), &id), move |e| examples::page(e, &id, &text(q)))
            }),
        )
        .route(
            "/runs/{id}/examples/{row}",
            get(|s: Shared, u: Uri, Path((id, row)): IdAndRow, q: RawQuery| {
                answer(s, Asked::of_run(whole(&u), &id), move |e| example::page(e, &id, &row, &text(q)))
            }),
        )
        .route(
            "/runs/{id}/examples/{row}/image",
            get(|s: Shared, u: Uri, Path((id, row)): IdAndRow| {
                answer(s, Asked::of_run(u.path(), &id), move |e| example::image(e, &id, &row))
            }),
        )
        .route(
            "/folders/{id}/report",
            get(|s: Shared, u: Uri, Path(id): Id| answer(s, Asked::of_many(u.path()), move |e| report_file::of_folder(e, &id))),
        )
        .route("/compare", get(|s: Shared, u: Uri, q: RawQuery| answer(s, Asked::of_many(whole(&u)), move |e| compare::page(e, &text(q)))))
}

fn json() -> Router<Arc<Maker>> {
    Router::new()
        .route("/api/version", get(|s: Shared, u: Uri, q: RawQuery| answer(s, Asked::light(whole(&u)), move |e| api::version(e, &text(q)))))
        .route("/api/runs.json", get(|s: Shared, u: Uri| answer(s, Asked::light(u.path()), api::runs)))
        .route(
            "/api/compare.json",
            get(|s: Shared, u: Uri, q: RawQuery| answer(s, Asked::of_many(whole(&u)), move |e| api::compare(e, &text(q)))),
        )
        .route(
            "/api/runs/{id}",
            get(|s: Shared, u: Uri, Path(id): Id| answer(s, Asked::of_run(u.path(), before_json(&id)), move |e| api::run(e, &id))),
        )
        .route(
            "/api/runs/{id}/tables.json",
            get(|s: Shared, u: Uri, Path(id): Id| answer(s, Asked::of_run(u.path(), &id), move |e| api::tables(e, &id))),
        )
        .route(
            "/api/runs/{id}/examples.json",
            get(|s: Shared, u: Uri, Path(id): Id, q: RawQuery| {
                answer(s, Asked::of_run(whole(&u), &id), move |e| api::examples(e, &id, &text(q)))
            }),
        )
        .route(
            "/api/runs/{id}/examples/{row}",
            get(|s: Shared, u: Uri, Path((id, row)): IdAndRow| {
                answer(s, Asked::of_run(u.path(), &id), move |e| api::example(e, &id, &row))
            }),
        )
}

/// What is the same in every explorer.
fn still() -> Router<Arc<Maker>> {
    let one = |reply: Reply| {
        get(move || {
            let response = guard::to_response(&reply);
            async move { response }
        })
    };
    Router::new()
        .route("/explorer.css", one(frame::style()))
        .route("/explorer.js", one(frame::script()))
        .route("/favicon.svg", one(frame::icon()))
}

/// Answers a request itself, or lets it pass to its page.
async fn pass(guard: Arc<Guard>, mut request: Request, next: Next) -> Response<Body> {
    let passage = guard.passage(request.method(), request.uri(), request.headers());
    let mut response = match passage {
        Passage::Refused(reply) => guard::to_response(&reply),
        Passage::SetCookie(response) => *response,
        Passage::Open => admitted(request, next).await,
        Passage::At(uri) => {
            *request.uri_mut() = uri;
            admitted(request, next).await
        }
    };
    guard::add_headers(response.headers_mut());
    response
}

async fn admitted(request: Request, next: Next) -> Response<Body> {
    if let Some(connection) = request.extensions().get::<Arc<Connection>>() {
        connection.admit();
    }
    next.run(request).await
}

/// Path and query.
fn whole(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |address| address.as_str())
}

fn text(RawQuery(query): RawQuery) -> String {
    query.unwrap_or_default()
}

/// The id in the name of a run's JSON.
fn before_json(name: &str) -> &str {
    name.strip_suffix(".json").unwrap_or(name)
}

async fn answer(State(maker): Shared, asked: Asked, make: impl FnOnce(&Explorer) -> Reply + Send + 'static) -> Response<Body> {
    guard::to_response(&*maker.answer(asked, make).await)
}
