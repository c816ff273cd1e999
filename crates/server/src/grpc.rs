//! OTLP over gRPC (<https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>). Messages stay bytes
//! until the same decoder that serves HTTP reads them.

use crate::app::App;
use crate::auth;
use crate::ingest::{Fallback, ingest};
use axum::http;
use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::future::BoxFuture;
use meshscope_telemetry::otlp::response;
use meshscope_telemetry::{Encoding, Signal};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

/// Hands messages over as bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// `Export` of one signal.
#[derive(Clone)]
struct Export {
    app: Arc<App>,
    signal: Signal,
}

impl UnaryService<Bytes> for Export {
    type Response = Vec<u8>;
    type Future = BoxFuture<'static, Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let Self { app, signal } = self.clone();
        Box::pin(async move {
            let (metadata, _, body) = request.into_parts();
            let headers = metadata.into_headers();
            if !auth::allowed(&app.config.keys, &headers) {
                return Err(Status::unauthenticated(
                    "show a key as `authorization: Bearer KEY`",
                ));
            }
            let fallback = Fallback::of(&app, &headers, "");
            match ingest(&app, signal, Encoding::Protobuf, body, fallback).await {
                Ok(rejected) => Ok(Response::new(response(signal, Encoding::Protobuf, &rejected))),
                Err(problem) => Err(match problem.status {
                    400 => Status::invalid_argument(problem.detail),
                    503 => Status::unavailable(problem.detail),
                    _ => Status::internal(problem.detail),
                }),
            }
        })
    }
}

/// One of the three services; `N` tells their names apart.
#[derive(Clone)]
struct Service<const N: usize>(Export);

const TRACES: usize = 0;
const LOGS: usize = 1;
const METRICS: usize = 2;

impl NamedService for Service<TRACES> {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl NamedService for Service<LOGS> {
    const NAME: &'static str = "opentelemetry.proto.collector.logs.v1.LogsService";
}

impl NamedService for Service<METRICS> {
    const NAME: &'static str = "opentelemetry.proto.collector.metrics.v1.MetricsService";
}

impl<const N: usize> tower::Service<http::Request<tonic::body::Body>> for Service<N> {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let export = self.0.clone();
        Box::pin(async move {
            if !request.uri().path().ends_with("/Export") {
                return Ok(Status::unimplemented("the services have the method Export only").into_http());
            }
            let mut grpc = Grpc::new(Raw)
                .apply_max_message_size_config(Some(export.app.config.max_decoded), None)
                .accept_compression_encodings_of();
            Ok(grpc.unary(export, request).await)
        })
    }
}

/// The encodings that requests may come in.
trait Accepting {
    fn accept_compression_encodings_of(self) -> Self;
}

impl Accepting for Grpc<Raw> {
    fn accept_compression_encodings_of(self) -> Self {
        let mut accepted = tonic::codec::EnabledCompressionEncodings::default();
        accepted.enable(CompressionEncoding::Gzip);
        accepted.enable(CompressionEncoding::Zstd);
        self.apply_compression_config(accepted, tonic::codec::EnabledCompressionEncodings::default())
    }
}

/// The routes of the three services.
pub(crate) fn routes(app: &Arc<App>) -> tonic::service::Routes {
    let export = |signal| Export {
        app: Arc::clone(app),
        signal,
    };
    tonic::service::Routes::default()
        .add_service(Service::<TRACES>(export(Signal::Traces)))
        .add_service(Service::<LOGS>(export(Signal::Logs)))
        .add_service(Service::<METRICS>(export(Signal::Metrics)))
}
