//! What a person sees in the studio.

use meshscope_tests::{Browser, Redis, Server, replay};
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thirtyfour::prelude::*;

/// A conversation through the real SDK; spans, a log record and a metric.
fn converse(
    tracers: &SdkTracerProvider,
    logs: &SdkLoggerProvider,
    meters: &SdkMeterProvider,
    conversation: &str,
) {
    let tracer = tracers.tracer("agent");
    let id = || KeyValue::new("gen_ai.conversation.id", conversation.to_owned());
    let root = tracer
        .span_builder("invoke_agent concierge")
        .with_attributes([
            id(),
            KeyValue::new("gen_ai.operation.name", "invoke_agent"),
            KeyValue::new("gen_ai.agent.name", "concierge"),
            KeyValue::new("gen_ai.usage.input_tokens", 1_000_i64),
            KeyValue::new("gen_ai.usage.output_tokens", 200_i64),
        ])
        .start(&tracer);
    let context = Context::current_with_span(root);
    let mut chat = tracer
        .span_builder("chat gpt-4o")
        .with_kind(SpanKind::Client)
        .with_attributes([
            id(),
            KeyValue::new("gen_ai.operation.name", "chat"),
            KeyValue::new("gen_ai.provider.name", "openai"),
            KeyValue::new("gen_ai.request.model", "gpt-4o"),
            KeyValue::new("gen_ai.usage.input_tokens", 1_000_i64),
            KeyValue::new("gen_ai.usage.cache_read.input_tokens", 400_i64),
            KeyValue::new("gen_ai.usage.output_tokens", 200_i64),
            KeyValue::new(
                "gen_ai.input.messages",
                r#"[{"role":"user","parts":[{"type":"text","content":"A table for <script>two</script>?"}]}]"#,
            ),
            KeyValue::new(
                "gen_ai.output.messages",
                r#"[{"role":"assistant","parts":[{"type":"text","content":"At seven."}],"finish_reason":"stop"}]"#,
            ),
        ])
        .start_with_context(&tracer, &context);
    chat.end();
    let mut tool = tracer
        .span_builder("execute_tool <script>alert(1)</script>")
        .with_attributes([
            id(),
            KeyValue::new("gen_ai.operation.name", "execute_tool"),
            KeyValue::new("gen_ai.tool.name", "reserve"),
        ])
        .start_with_context(&tracer, &context);
    tool.set_status(Status::error("the restaurant is closed"));
    tool.end();
    let logger = logs.logger("agent");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Warn);
    record.set_severity_text("WARN");
    record.set_body(AnyValue::from("no table at six"));
    let span = context.span().span_context().clone();
    record.set_trace_context(span.trace_id(), span.span_id(), None);
    logger.emit(record);
    meters
        .meter("agent")
        .u64_counter("tables.reserved")
        .build()
        .add(1, &[]);
    context.span().end();
}

fn resource() -> Resource {
    Resource::builder().with_service_name("concierge-service").build()
}

/// The stock exporters, pointed at the server.
fn exporters(server: &Server, grpc: bool) -> (SpanExporter, LogExporter, MetricExporter) {
    if grpc {
        let at = &server.otlp_grpc;
        (
            SpanExporter::builder()
                .with_tonic()
                .with_endpoint(at)
                .build()
                .unwrap(),
            LogExporter::builder()
                .with_tonic()
                .with_endpoint(at)
                .build()
                .unwrap(),
            MetricExporter::builder()
                .with_tonic()
                .with_endpoint(at)
                .build()
                .unwrap(),
        )
    } else {
        let at = |path: &str| format!("{}{path}", server.otlp_http);
        (
            SpanExporter::builder()
                .with_http()
                .with_endpoint(at("/v1/traces"))
                .build()
                .unwrap(),
            LogExporter::builder()
                .with_http()
                .with_endpoint(at("/v1/logs"))
                .build()
                .unwrap(),
            MetricExporter::builder()
                .with_http()
                .with_endpoint(at("/v1/metrics"))
                .build()
                .unwrap(),
        )
    }
}

/// A conversation from the first span to the shut-down; panics unless every exporter got through.
fn export(server: &Server, conversation: &str, grpc: bool) {
    let (spans, logs, metrics) = exporters(server, grpc);
    let tracers = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(spans)
        .build();
    let loggers = SdkLoggerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(logs)
        .build();
    let meters = SdkMeterProvider::builder()
        .with_resource(resource())
        .with_periodic_exporter(metrics)
        .build();
    converse(&tracers, &loggers, &meters, conversation);
    tracers.shutdown().unwrap();
    loggers.shutdown().unwrap();
    meters.shutdown().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_sdk_shows_up_over_http_and_grpc() {
    let server = std::sync::Arc::new(Server::start());
    for (conversation, grpc) in [("over-http", false), ("over-grpc", true)] {
        let server = std::sync::Arc::clone(&server);
        // The SDK has threads of its own and its HTTP client blocks.
        tokio::task::spawn_blocking(move || export(&server, conversation, grpc))
            .await
            .unwrap();
    }
    let browser = Browser::start().await;
    browser.page.goto(&server.studio).await.unwrap();
    browser.sees("over-grpc").await;
    let rows = browser.texts("table.sessions tbody tr").await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    for row in &rows {
        // 1,200 and not 2,400: the agent's claim repeats its call.
        assert!(
            row.contains("concierge") && row.contains("1,200") && row.contains("$0.004"),
            "{row}"
        );
    }
    open_row(&browser, "over-http").await;
    open_run(&browser, "invoke_agent concierge").await;
    browser
        .until(
            "three rows",
            "return document.querySelector('.waterfall')?.dataset.rows === '3'",
        )
        .await;
    // Select the call with the keyboard, and read its conversation.
    let canvas = browser.page.find(By::Id("waterfall")).await.unwrap();
    canvas.focus().await.unwrap();
    for _ in 0..2 {
        canvas.send_keys(Key::Down).await.unwrap();
    }
    browser.sees("chat gpt-4o").await;
    browser.sees("At seven.").await;
    browser.sees("A table for <script>two</script>?").await;
    browser.sees("1,000 (400 cached)").await;
    let scripts = browser
        .script("return document.querySelectorAll('body script').length")
        .await;
    assert_eq!(scripts, 0, "text from telemetry must not become markup");
    canvas.send_keys(Key::Down).await.unwrap();
    browser.sees("the restaurant is closed").await;
    let url = browser.page.current_url().await.unwrap().to_string();
    assert!(url.contains("span="), "{url}");
    browser.page.refresh().await.unwrap();
    browser.sees("the restaurant is closed").await;

    browser
        .page
        .goto(format!("{}/logs", server.studio))
        .await
        .unwrap();
    browser.sees("no table at six").await;
    browser
        .page
        .goto(format!("{}/metrics", server.studio))
        .await
        .unwrap();
    browser.sees("tables.reserved").await;
    browser
        .page
        .goto(format!("{}/usage", server.studio))
        .await
        .unwrap();
    browser.sees("gpt-4o").await;
    browser.stop().await;
}

/// Opens the panel of a session that lists its runs.
async fn open_runs(browser: &Browser) {
    let tab = "[...document.querySelectorAll('.tabs button')].find(tab => tab.innerText.startsWith('Runs'))";
    browser.until("the runs", &format!("return !!{tab}")).await;
    browser.script(&format!("{tab}.click()")).await;
}

/// Clicks the link of a run of the session.
async fn open_run(browser: &Browser, name: &str) {
    open_runs(browser).await;
    let quoted = serde_json::to_string(name).unwrap();
    let links = "[...document.querySelectorAll('.runs a')]";
    let link = format!(
        "({links}.find(a => a.innerText === {quoted}) ?? {links}.find(a => a.innerText.startsWith({quoted})))"
    );
    browser.until(name, &format!("return !!{link}")).await;
    browser.script(&format!("{link}.click()")).await;
}

/// Clicks the first link of the row that has a text, or the first whose own text it is.
async fn open_row(browser: &Browser, text: &str) {
    let link = format!(
        "(//tr[.//a[normalize-space()='{text}']]//a | //tr[contains(., '{text}') and not(//a[normalize-space()='{text}'])]//a)[1]"
    );
    browser
        .page
        .find(By::XPath(&link))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_show_as_their_users_think_of_them() {
    let redis = Redis::start();
    let server = Server::with(&["--mcp-mesh-redis", &redis.url()]);
    redis.replay();
    for system in ["meshagent", "videosdk", "meshflow", "dexto"] {
        replay(&server, system).await;
    }
    let browser = Browser::start().await;
    let at = |path: &str| format!("{}{path}", server.studio);
    // Rooms, calls, runs, chats, requests: what each session list says, and what one session does.
    let systems: [(&str, &[&str], &str, &[&str]); 5] = [
        (
            "meshagent",
            &["gettingstarted", "sess-def", "504"],
            "sess-def",
            &["agent.turn", "Logs 4"],
        ),
        (
            "videosdk",
            &["call with Haley", "abcd-efgh-ijkl", "300"],
            "call with Haley",
            &["1 interrupted", "Logs 44"],
        ),
        (
            "meshflow",
            &["run 72cef9e3", "265", "critic, executor +2"],
            "72cef9e3",
            &["meshflow.agent.step", "Runs 4"],
        ),
        (
            "dexto",
            &["chat 6f9ed929", "840", "chat c04195d3"],
            "6f9ed929",
            &["agent.generate", "Runs 5"],
        ),
        (
            "mcp-mesh",
            &["generate_report", "dependent-service", "168"],
            "generate_report",
            &["generate_report", "Spans"],
        ),
    ];
    for (system, listed, row, opened) in systems {
        browser
            .page
            .goto(at(&format!("/sessions?range=all&system={system}")))
            .await
            .unwrap();
        for text in listed {
            browser.sees(text).await;
        }
        browser.screenshot(&format!("system-{system}")).await;
        open_row(&browser, row).await;
        open_runs(&browser).await;
        for text in opened {
            browser.sees(text).await;
        }
        browser.screenshot(&format!("system-{system}-session")).await;
    }
    // A turn with its tool, the framework's own spans folded away.
    browser
        .page
        .goto(at("/sessions/sess-def?range=all"))
        .await
        .unwrap();
    open_run(&browser, "agent.turn").await;
    browser.sees("of the framework's own spans are hidden").await;
    browser.screenshot("system-meshagent-trace").await;
    // What a sender calls fine and is not: the model call of the second turn.
    browser
        .page
        .goto(at("/sessions/65f0-session?range=all"))
        .await
        .unwrap();
    open_run(&browser, "Agent Session").await;
    browser
        .until(
            "the waterfall",
            "return document.querySelector('.waterfall')?.dataset.rows > 10",
        )
        .await;
    browser.screenshot("system-videosdk-trace").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_studio_answers_to_keys_links_and_trouble() {
    let server = Server::start();
    let browser = Browser::start().await;
    browser.page.goto(&server.studio).await.unwrap();
    browser
        .sees("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318")
        .await;
    browser.sees("OTEL_ENDPOINT=").await;
    browser.screenshot("empty").await;
    let body = browser.page.find(By::Tag("body")).await.unwrap();
    body.send_keys("?").await.unwrap();
    browser.sees("Waterfall").await;
    body.send_keys(Key::Escape).await.unwrap();
    browser
        .until(
            "the list of keys closes",
            "return !document.querySelector('.dialog')",
        )
        .await;
    body.send_keys("gt").await.unwrap();
    browser
        .until("the traces page", "return location.pathname === '/traces'")
        .await;
    body.send_keys("x").await.unwrap();
    browser
        .until(
            "the dark theme",
            "return document.documentElement.dataset.theme === 'dark'",
        )
        .await;
    browser.page.refresh().await.unwrap();
    browser
        .until(
            "the theme again",
            "return document.documentElement.dataset.theme === 'dark'",
        )
        .await;
    browser
        .page
        .find(By::Id("time-range"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    let preset = "const item = [...document.querySelectorAll('.menu .item')].find(e => e.innerText === 'Last hour'); item?.click(); return !!item";
    browser.until("the menu", preset).await;
    browser
        .until(
            "the range in the URL",
            "return location.search.includes('range=1h')",
        )
        .await;
    browser.page.back().await.unwrap();
    browser
        .until("the range before", "return !location.search.includes('range=1h')")
        .await;
    browser
        .page
        .goto(format!("{}/traces/nonsense", server.studio))
        .await
        .unwrap();
    browser.sees("expected 32 hexadecimal digits").await;
    browser
        .page
        .goto(format!(
            "{}/traces/4bf92f3577b34da6a3ce929d0e0e4736",
            server.studio
        ))
        .await
        .unwrap();
    browser.sees("there is no trace").await;
    browser.screenshot("error").await;
    browser
        .page
        .goto(format!("{}/no-such-page", server.studio))
        .await
        .unwrap();
    browser.sees("There is no such page").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_both_screens_in_both_themes() {
    let server = Server::start();
    server.demo(&["--history", "1d", "--once", "--seed", "7", "--rate", "12"]);
    let browser = Browser::start().await;
    let client = reqwest::Client::new();
    let api = |path: &str| client.get(format!("{}/api/v1/{path}", server.studio)).send();
    let traces: serde_json::Value = api("traces?q=invoke_workflow&limit=1")
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let trace = traces["traces"][0]["trace_id"].as_str().unwrap().to_owned();
    let session = traces["traces"][0]["session_id"].as_str().unwrap().to_owned();
    let whole: serde_json::Value = api(&format!("traces/{trace}"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let spans = whole["spans"].as_array().unwrap();
    let chat = spans
        .iter()
        .find(|span| span["name"].as_str().unwrap().starts_with("chat"))
        .unwrap();
    let pages = [
        ("sessions", "/sessions".to_owned(), "table.sessions tbody tr"),
        ("session", format!("/sessions/{session}"), ".timeline-plot canvas"),
        ("traces", "/traces".to_owned(), "table.traces tbody tr"),
        (
            "trace",
            format!("/traces/{trace}?span={}", chat["span_id"].as_str().unwrap()),
            ".details .turn",
        ),
        ("logs", "/logs".to_owned(), ".log"),
        ("metrics", "/metrics".to_owned(), ".chart canvas"),
        ("usage", "/usage".to_owned(), ".breakdown tbody tr"),
        ("settings", "/settings".to_owned(), ".card"),
    ];
    browser.page.goto(&server.studio).await.unwrap();
    for theme in ["dark", "light"] {
        browser
            .script(&format!("localStorage.setItem('meshscope.theme', '{theme}')"))
            .await;
        for (name, path, ready) in &pages {
            browser.size(1440, 900).await;
            browser
                .page
                .goto(format!("{}{path}", server.studio))
                .await
                .unwrap();
            browser
                .until(name, &format!("return !!document.querySelector('{ready}')"))
                .await;
            let error = browser
                .script("return document.querySelector('.failed')?.innerText ?? null")
                .await;
            assert!(error.is_null(), "{name}: {error}");
            for (width, height) in [(1440, 900), (390, 844)] {
                browser.size(width, height).await;
                let wide = format!("return document.documentElement.scrollWidth <= {width}");
                browser.until(&format!("{name} fits {width}"), &wide).await;
                browser.screenshot(&format!("{name}-{theme}-{width}")).await;
            }
        }
    }
    browser.size(1440, 900).await;
    browser
        .page
        .goto(format!("{}/logs", server.studio))
        .await
        .unwrap();
    browser
        .until("log rows", "return !!document.querySelector('.log-line')")
        .await;
    assert_eq!(
        browser
            .script("return document.querySelector('.log-line').offsetHeight")
            .await,
        26
    );
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_does_not_come_is_told_and_asked_for_again() {
    let server = Server::start();
    let browser = Browser::start().await;
    let block = async |urls: &[&str]| {
        let cdp = browser.page.cdp();
        cdp.send_raw("Network.enable", serde_json::json!({}))
            .await
            .unwrap();
        let blocked = serde_json::json!({"urls": urls});
        cdp.send_raw("Network.setBlockedURLs", blocked).await.unwrap();
    };
    block(&["*split_usage*"]).await;
    browser.page.goto(&server.studio).await.unwrap();
    browser
        .until(
            "the rail",
            "return document.querySelector(`a[href$='/usage']`) !== null",
        )
        .await;
    let usage = browser.page.find(By::Css("a[href$='/usage']")).await.unwrap();
    usage.click().await.unwrap();
    browser.sees("A part of the studio could not be downloaded").await;
    block(&[]).await;
    let again = browser.page.find(By::Css("main .failed button")).await.unwrap();
    again.click().await.unwrap();
    browser
        .until(
            "the page",
            "return document.querySelector('main h1')?.innerText === 'Usage'",
        )
        .await;
    browser.stop().await;
}

/// Whether the part of the trace page has come.
const TRACE_PART: &str =
    "return performance.getEntriesByType('resource').some(entry => entry.name.includes('split_trace'))";

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_before_they_are_clicked_unless_data_is_saved() {
    let server = Server::start();
    let browser = Browser::start().await;
    browser.page.goto(&server.studio).await.unwrap();
    browser.until("the part of other pages", TRACE_PART).await;
    browser.stop().await;

    let saving = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } })";
    let browser = Browser::watching(saving).await;
    browser.page.goto(&server.studio).await.unwrap();
    browser
        .until("two seconds", "return performance.now() > 2_000")
        .await;
    assert_eq!(browser.script(TRACE_PART).await, false);
    let console = browser.page.find(By::Css("a[href$='/console']")).await.unwrap();
    console.click().await.unwrap();
    browser
        .until("the console", "return !!document.querySelector('main .tabs')")
        .await;
    browser.stop().await;
}
