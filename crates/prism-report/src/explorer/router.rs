//! The addresses.
//!
//! | address | what |
//! |---|---|
//! | `/` | the runs |
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
use axum::http::{Response, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::routing::get;

use super::reply::Reply;
use super::{Explorer, api, compare, example, examples, frame, guard, home, report_file, run};

type Shared = State<Arc<Explorer>>;

/// The router of an explorer that listens at `port`.
pub fn router(explorer: Arc<Explorer>, port: u16) -> Router {
    Router::new()
        .route("/", get(|s: Shared| answer(s, home::page)))
        .route("/runs/{id}", get(|s: Shared, Path(id): Path<String>| answer(s, move |e| run::page(e, &id))))
        .route("/runs/{id}/report", get(|s: Shared, Path(id): Path<String>| answer(s, move |e| report_file::of_run(e, &id))))
        .route(
            "/runs/{id}/examples",
            get(|s: Shared, Path(id): Path<String>, q: RawQuery| answer(s, move |e| examples::page(e, &id, &text(q)))),
        )
        .route(
            "/runs/{id}/examples/{row}",
            get(|s: Shared, Path((id, row)): Path<(String, String)>, q: RawQuery| {
                answer(s, move |e| example::page(e, &id, &row, &text(q)))
            }),
        )
        .route(
            "/runs/{id}/examples/{row}/image",
            get(|s: Shared, Path((id, row)): Path<(String, String)>| answer(s, move |e| example::image(e, &id, &row))),
        )
        .route("/folders/{id}/report", get(|s: Shared, Path(id): Path<String>| answer(s, move |e| report_file::of_folder(e, &id))))
        .route("/compare", get(|s: Shared, q: RawQuery| answer(s, move |e| compare::page(e, &text(q)))))
        .route("/api/version", get(|s: Shared, q: RawQuery| answer(s, move |e| api::version(e, &text(q)))))
        .route("/api/runs.json", get(|s: Shared| answer(s, api::runs)))
        .route("/api/compare.json", get(|s: Shared, q: RawQuery| answer(s, move |e| api::compare(e, &text(q)))))
        .route("/api/runs/{id}", get(|s: Shared, Path(id): Path<String>| answer(s, move |e| api::run(e, &id))))
        .route(
            "/api/runs/{id}/examples.json",
            get(|s: Shared, Path(id): Path<String>, q: RawQuery| answer(s, move |e| api::examples(e, &id, &text(q)))),
        )
        .route(
            "/api/runs/{id}/examples/{row}",
            get(|s: Shared, Path((id, row)): Path<(String, String)>| answer(s, move |e| api::example(e, &id, &row))),
        )
        .route("/explorer.css", get(|| async { guard::dressed::<Body>(frame::style()) }))
        .route("/explorer.js", get(|| async { guard::dressed::<Body>(frame::script()) }))
        .route("/favicon.svg", get(|| async { guard::dressed::<Body>(frame::icon()) }))
        .fallback(|| async { guard::dressed::<Body>(Reply::unknown("page")) })
        .layer(from_fn(move |request: Request, next: Next| async move {
            let mut response = match guard::refuse(request.method(), request.uri(), request.headers(), port) {
                Some(refused) => guard::dressed(refused),
                None => next.run(request).await,
            };
            guard::cover(response.headers_mut());
            response
        }))
        .with_state(explorer)
}

fn text(RawQuery(query): RawQuery) -> String {
    query.unwrap_or_default()
}

/// Makes a page away from the listeners, for it reads files.
async fn answer(State(explorer): Shared, make: impl FnOnce(&Explorer) -> Reply + Send + 'static) -> Response<Body> {
    let made = tokio::task::spawn_blocking(move || make(&explorer)).await;
    guard::dressed(
        made.unwrap_or_else(|_| Reply::refused(StatusCode::INTERNAL_SERVER_ERROR, "This page could not be made; report it as a bug.")),
    )
}
