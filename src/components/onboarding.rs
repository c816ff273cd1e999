//! How to send the first span: for an empty project.

use super::copy::Copy;
use leptos::prelude::*;

/// Systems with the shortest lines that point them here.
const SYSTEMS: [(&str, &str); 6] = [
    (
        "OpenTelemetry SDKs",
        "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318",
    ),
    ("MeshAgent", "export OTEL_ENDPOINT=http://127.0.0.1:4318"),
    (
        "VideoSDK agents",
        "url = \"http://127.0.0.1:4318\"\nRoomOptions(\n    traces=TracesOptions(enabled=True, export_url=f\"{url}/v1/traces\"),\n    \
         metrics=MetricsOptions(enabled=True, export_url=f\"{url}/v1/metrics\"),\n    \
         logs=LoggingOptions(enabled=True, export_url=f\"{url}/v1/logs\"))",
    ),
    (
        "MeshFlow",
        "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    ),
    (
        "Dexto",
        "telemetry:\n  enabled: true\n  export:\n    type: otlp\n    protocol: http\n    endpoint: http://127.0.0.1:4318/v1/traces",
    ),
    (
        "MCP Mesh",
        "meshscope serve --mcp-mesh-redis redis://127.0.0.1:6379",
    ),
];

/// Lines to copy, and the demo.
#[component]
pub(crate) fn Onboarding(#[prop(into)] what: String) -> impl IntoView {
    let card = |(name, lines): (&'static str, &'static str)| {
        view! {
            <section class="send">
                <h3>{name}<Copy text=lines label=name /></h3>
                <pre>{lines}</pre>
            </section>
        }
    };
    view! {
        <div class="empty">
            <h2>{format!("No {what} in this selection yet")}</h2>
            <p>
                "Point an agent at this server, or widen the time range. To look around first, run "
                <code>"meshscope demo"</code>"."
            </p>
            <div class="sends">{SYSTEMS.into_iter().map(card).collect_view()}</div>
        </div>
    }
}
