//! Starting and ending: sockets, store, writer, and a graceful end.

use crate::app::App;
use crate::config::Config;
use crate::live::Hub;
use crate::stats::Stats;
use crate::studio::Studio;
use crate::{api, auth, budgets, grpc, health, mcp_mesh, metrics, otlp, prices, recordings, retention};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::serve::ListenerExt as _;
use meshscope_api::{Listener, Problem};
use meshscope_store::writer::Writer;
use meshscope_store::{DuckDb, Options, Store};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};

/// A running server.
pub struct Running {
    /// Address of the studio and API.
    pub api: SocketAddr,
    /// Address of OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// Address of OTLP over gRPC.
    pub otlp_grpc: SocketAddr,
    app: Arc<App>,
    /// Ends the receivers.
    stop: watch::Sender<bool>,
    receivers: Vec<JoinHandle<()>>,
    /// Ends studio and API, which answer until everything is written.
    stop_api: watch::Sender<bool>,
    api_task: JoinHandle<()>,
}

/// How long a connection that is under way may hold up the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the server until it is told to end.
pub(crate) async fn run(config: Config) -> Result<(), String> {
    let running = start(config).await?;
    // Who reads the addresses may end the server at once.
    let told = Told::listen()?;
    println!("studio http://{}", running.api);
    println!("otlp/http http://{}", running.otlp_http);
    println!("otlp/grpc http://{}", running.otlp_grpc);
    told.ended().await?;
    tracing::info!("ending: writing what waits");
    running.stop().await
}

/// Hears ctrl-c and SIGTERM from its making on.
#[cfg(unix)]
struct Told {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Told {
    fn listen() -> Result<Self, String> {
        use tokio::signal::unix::{SignalKind, signal};
        let hear = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
        Ok(Self {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
        })
    }

    async fn ended(mut self) -> Result<(), String> {
        tokio::select! {
            _ = self.interrupt.recv() => Ok(()),
            _ = self.terminate.recv() => Ok(()),
        }
    }
}

/// Hears ctrl-c.
#[cfg(not(unix))]
struct Told;

#[cfg(not(unix))]
impl Told {
    fn listen() -> Result<Self, String> {
        Ok(Self)
    }

    async fn ended(self) -> Result<(), String> {
        let told = tokio::signal::ctrl_c().await;
        told.map_err(|error| format!("cannot wait for signals: {error}"))
    }
}

async fn bind(name: &str, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address} for {name}: {error}; give --{name} another address")
    })
}

/// Binds, opens the store and starts serving; returns when requests are taken.
pub async fn start(config: Config) -> Result<Running, String> {
    let api_listener = bind("listen", config.listen).await?;
    let http_listener = bind("otlp-http", config.otlp_http).await?;
    let grpc_listener = bind("otlp-grpc", config.otlp_grpc).await?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(|error| error.to_string());
    let (api, otlp_http, otlp_grpc) = (
        address(&api_listener)?,
        address(&http_listener)?,
        address(&grpc_listener)?,
    );

    let options = Options {
        memory_mib: config.engine_memory_mib,
        ..Options::default()
    };
    let dir = config.data_dir.clone();
    let store = tokio::task::spawn_blocking(move || DuckDb::open(&dir, &options)).await;
    let store: Arc<dyn Store> = Arc::new(
        store
            .map_err(|error| error.to_string())?
            .map_err(|e| e.to_string())?,
    );
    let (kept, dir) = (Arc::clone(&store), config.data_dir.clone());
    let reconciled = tokio::task::spawn_blocking(move || recordings::reconcile(&*kept, &dir)).await;
    // The telemetry is taken and shown without them too.
    if let Err(error) = reconciled.map_err(|error| error.to_string())? {
        tracing::error!(%error, "recordings were not looked through");
    }
    let prices = prices::load(&config)?;
    let budgets = budgets::load(&config)?;
    let stats = Arc::new(Stats::default());
    let position = store.position().map_err(|error| error.to_string())?;
    let (hub, publisher) = Hub::start(position, config.stream_buffer, config.stream_behind)
        .map_err(|error| format!("cannot start the live stream: {error}"))?;
    let counted = Arc::clone(&stats);
    let writer = Writer::start(Arc::clone(&store), config.queue_records, move |commit| {
        counted.written(&commit.written, commit.took);
        publisher.publish(commit.batches, commit.written.changes)
    })
    .map_err(|error| format!("cannot start the writer: {error}"))?;
    let listener = |name: &str, address: SocketAddr| Listener {
        name: name.to_owned(),
        url: format!("http://{address}"),
    };
    let listeners = vec![
        listener("api", api),
        listener("otlp_http", otlp_http),
        listener("otlp_grpc", otlp_grpc),
    ];
    let app = Arc::new(App::new(
        config,
        store,
        writer,
        stats,
        hub,
        listeners,
        (prices, budgets),
    ));

    let (stop, stopped) = watch::channel(false);
    let (stop_api, api_stopped) = watch::channel(false);
    let api_task = serve_http("api", api_listener, api_router(&app), api_stopped);
    let mut receivers = vec![
        serve_http("otlp-http", http_listener, otlp::router(&app), stopped.clone()),
        serve_grpc(grpc_listener, &app, stopped.clone()),
    ];
    receivers.push(retention::keep(&app, stopped.clone()));
    receivers.push(prices::price_past_beside(&app, stopped.clone()));
    receivers.extend(mcp_mesh::start(&app, stopped));
    Ok(Running {
        api,
        otlp_http,
        otlp_grpc,
        app,
        stop,
        receivers,
        stop_api,
        api_task,
    })
}

impl Running {
    /// Takes nothing more, finishes what is under way, writes what waits and closes the store.
    /// Until that is done studio and API answer, and `/readyz` says why no telemetry is taken.
    pub async fn stop(self) -> Result<(), String> {
        self.app.stop();
        self.stop.send_replace(true);
        for task in self.receivers {
            ended(task).await?;
        }
        let app = Arc::clone(&self.app);
        let written = tokio::task::spawn_blocking(move || app.writer.close());
        written.await.map_err(|error| error.to_string())?;
        self.stop_api.send_replace(true);
        ended(self.api_task).await?;
        let app = self.app;
        let closed = tokio::task::spawn_blocking(move || app.store.close());
        closed
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
    }
}

/// Waits for a listener and its connections, but for no client that stands still.
async fn ended(mut task: JoinHandle<()>) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, &mut task).await {
        Ok(ended) => ended.map_err(|error| error.to_string()),
        Err(_) => {
            tracing::warn!(patience = ?PATIENCE, "a connection did not end in time and is left");
            task.abort();
            Ok(())
        }
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end too.
    if stopped.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("the server was dropped");
    }
}

fn serve_http(
    name: &'static str,
    listener: TcpListener,
    router: Router,
    stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        // An event or an answer goes out at once, however small.
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "a connection gathers what it sends");
            }
        });
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(until(stopped))
            .await
        {
            tracing::error!(%error, name, "a listener ended");
        }
    })
}

fn serve_grpc(listener: TcpListener, app: &Arc<App>, stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    let routes = grpc::routes(app);
    tokio::spawn(async move {
        let incoming = futures_util::stream::unfold(listener, |listener| async move {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        let server = tonic::transport::Server::builder().add_routes(routes);
        if let Err(error) = server
            .serve_with_incoming_shutdown(incoming, until(stopped))
            .await
        {
            tracing::error!(%error, "the gRPC listener ended");
        }
    })
}

/// Studio and API.
fn api_router(app: &Arc<App>) -> Router {
    let studio = Studio::new(app.config.studio_dir.clone());
    let (routes, document) = api::router();
    let document = serde_json::to_string(&document).unwrap_or_default();
    let files = move |request: Request| {
        let studio = studio.clone();
        async move { answer_other(&studio, &request) }
    };
    let page = Studio::new(app.config.studio_dir.clone());
    let keys = middleware::from_fn_with_state(Arc::clone(app), auth::require);
    routes
        .route(
            "/api/v1/openapi.json",
            get(move || async move { ([(header::CONTENT_TYPE, "application/json")], document) }),
        )
        // Clients that take one base URL for all post here what goes to OTLP's port as well.
        .route("/api/ingest/{kind}", any(otlp::receive))
        .merge(mcp_mesh::rest::router())
        .method_not_allowed_fallback(|| async {
            api::problem(&Problem::method_not_allowed(
                "this path takes the methods in the header Allow",
            ))
        })
        .fallback(files)
        // The studio's page of that name and the server's own figures: a browser asks for a page.
        .route(
            "/metrics",
            get(|state: State<Arc<App>>, request: Request| async move {
                if wants_page(&request) {
                    page.serve(&request)
                } else {
                    metrics::metrics(state).await.into_response()
                }
            }),
        )
        // Recordings are compressed as they are, and parts of them must stay what was asked for.
        .layer(
            CompressionLayer::new().compress_when(
                DefaultPredicate::new()
                    .and(NotForContentType::const_new("audio/"))
                    .and(NotForContentType::const_new("video/")),
            ),
        )
        .layer(keys)
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .with_state(Arc::clone(app))
}

fn wants_page(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT);
    accept
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/html"))
}

fn answer_other(studio: &Studio, request: &Request) -> Response {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return studio.serve(request);
    }
    let problem = api::problem(&Problem::method_not_allowed("this path takes GET"));
    ([(header::ALLOW, "GET, HEAD")], problem).into_response()
}
