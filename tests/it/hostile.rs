//! Hostile clients: too slow, too many, too long, or not quite HTTP. Each gets a clear error or is disconnected, and
//! other clients are not affected.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::common::DataDir;
use crate::common::app::{TestApp, spawn_app_with, unlimited};
use crate::common::http::{self, Answer};
use crate::common::server::Server;
use serde_json::{Value, json};
use telemetry_server::config::protection::ProtectionVariables;
use telemetry_server::connections::affordable;

/// A short time-out, so that the tests are fast.
const REQUEST_SECONDS: &str = "1";
/// Open files that a test needs: both ends of each connection are in this process.
const MANY: usize = 4000;
/// Longest wait before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

async fn spawn_impatient_app() -> TestApp {
    let seconds = || Some(REQUEST_SECONDS.to_owned());
    let protection = ProtectionVariables {
        request_timeout_seconds: seconds(),
        keep_alive_seconds: seconds(),
        ..unlimited()
    };
    spawn_app_with(protection).await
}

/// Sends bytes and then, with `goes_on`, single bytes until the server closes the connection; returns its response.
fn drip(address: SocketAddr, first: &[u8], goes_on: bool) -> String {
    let mut connection = http::open(address).expect("it listens");
    connection.write_all(first).expect("it listens");
    let mut answer = Vec::new();
    connection.set_read_timeout(Some(Duration::from_millis(50))).expect("a time");
    let begun = Instant::now();
    loop {
        let mut buffer = [0; 4096];
        match connection.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                // The next read shows whether the connection is closed.
                let _ = connection.write_all(if goes_on { b"a" } else { b"" });
            }
            Err(_) => break,
        }
        assert!(begun.elapsed() < PATIENCE, "it is not cut; it said {}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Runs blocking work beside the server.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

async fn assert_serving(app: &TestApp, id: &str) {
    app.report("/telemetry", &json!({"random_id": id, "nsapp": "x"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_sender_is_disconnected_at_any_point_of_a_request() {
    let app = spawn_impatient_app().await;
    let address = app.address();
    let post = "POST /telemetry HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{";
    let chunked = "POST /telemetry HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{";
    // A body that no handler reads is drained, but only for a limited time.
    let unread = "POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n{";
    let second = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nX-Slow: ";
    let cases = [
        ("nothing at all", "", false, "HTTP/1.1 408"),
        ("a slow head", "GET / HTTP/1.1\r\nX-Slow: ", true, "HTTP/1.1 408"),
        ("a slow body", post, true, "HTTP/1.1 408"),
        ("a slow body in chunks", chunked, true, "HTTP/1.1 408"),
        ("a slow body that is not read", unread, true, "HTTP/1.1 404"),
        ("a slow second head", second, true, "HTTP/1.1 200"),
        ("idle after an answer", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", false, "HTTP/1.1 200"),
    ];
    let slow = cases.map(|(case, first, goes_on, status)| {
        let said = aside(move || drip(address, first.as_bytes(), goes_on));
        async move { (case, said.await, status) }
    });
    let all = futures_util::future::join_all(slow);
    let (all, ()) = tokio::join!(all, assert_serving(&app, "meanwhile"));
    for (case, said, status) in all {
        assert!(said.starts_with(status), "{case}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{case}: one answer, then the end: {said}");
        if status.ends_with("408") {
            let (head, body) = said.split_once("\r\n\r\n").expect("a head");
            let body: Value = serde_json::from_str(body).expect("a JSON answer");
            assert_eq!(body["error"], "request_timeout", "{case}");
            let head = head.to_ascii_lowercase();
            for line in
                ["connection: close", "content-security-policy: default-src 'self'", "x-frame-options: deny"]
            {
                assert!(head.contains(line), "{case}: {head}");
            }
        }
    }
    assert_eq!(app.executions().await, 1);
    app.stop().await;
}

/// The responses fill all buffers, and the client does not read them.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_disconnected() {
    let app = spawn_impatient_app().await;
    let address = app.address();
    let ended = aside(move || {
        let mut connection = http::open(address).expect("it listens");
        connection.set_write_timeout(Some(PATIENCE)).expect("a time");
        let request = "GET /api/exit-codes HTTP/1.1\r\nHost: x\r\n\r\n".repeat(64);
        let begun = Instant::now();
        // All buffers are full long before this ends.
        while begun.elapsed() < PATIENCE {
            if let Err(error) = connection.write_all(request.as_bytes()) {
                return error.kind() != std::io::ErrorKind::WouldBlock;
            }
        }
        false
    });
    assert!(ended.await, "it is cut");
    assert_serving(&app, "after").await;
    let metrics = app.request(reqwest::Method::GET, "/metrics").send().await.expect("an answer");
    assert!(metrics.text().await.expect("a text").contains("\ntelemetry_connections_cut_total 1\n"));
    app.stop().await;
}

/// Some batches arrive slowly, as many as one address may send, and as many as are processed at a time.
#[tokio::test(flavor = "multi_thread")]
async fn slow_senders_of_batches_do_not_keep_others_from_sending() {
    let protection = ProtectionVariables { trusted_proxies: Some("127.0.0.1".to_owned()), ..unlimited() };
    let app = spawn_app_with(protection).await;
    let address = app.address();
    let answer = aside(move || {
        let slow: Vec<_> = (0..4)
            .map(|client| {
                let mut connection = http::open(address).expect("it listens");
                let forwarded = format!("X-Forwarded-For: 192.0.2.{}", client / 2);
                let head = http::head("POST", "/api/v1/events", &["Expect: 100-continue", &forwarded], 1000);
                connection.write_all(head.as_bytes()).expect("it listens");
                // The server asks for the body, so the handler is waiting for it.
                let mut go_on = [0; 25];
                connection.read_exact(&mut go_on).expect("it asks for the body");
                connection.write_all(b"[").expect("it listens");
                connection
            })
            .collect();
        let answer = http::post(address, "/api/v1/events", br#"[{"random_id":"r","nsapp":"x"}]"#);
        drop(slow);
        answer
    });
    let answer = answer.await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(1)));
    app.stop().await;
}

/// Exports that nobody reads, as many as one address may run, on more data than all buffers hold.
#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_of_exports_do_not_block_others_and_are_disconnected() {
    let protection = ProtectionVariables {
        request_timeout_seconds: Some(REQUEST_SECONDS.to_owned()),
        keep_alive_seconds: Some(REQUEST_SECONDS.to_owned()),
        trusted_proxies: Some("127.0.0.1".to_owned()),
        ..unlimited()
    };
    let app = spawn_app_with(protection).await;
    let address = app.address();
    for batch in 0..2 {
        let event =
            |run| json!({"random_id": format!("{batch}-{run}"), "nsapp": "x", "cpu_model": "c".repeat(90)});
        let events: Vec<_> = (0..8_000).map(event).collect();
        app.report("/api/v1/events", &json!(events)).await;
    }
    let path = "/api/records?format=ndjson";
    let export = async |client: &str| {
        let mut answer = app
            .request(reqwest::Method::GET, path)
            .header("x-forwarded-for", client)
            .send()
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        let body = if status == 200 { None } else { answer.chunk().await.expect("a body") };
        (status, body.map(|body| serde_json::from_slice::<Value>(&body).expect("JSON")["error"].clone()))
    };
    let stalled: Vec<TcpStream> = aside(move || {
        let stall = |_| {
            let mut connection = http::open(address).expect("it listens");
            let head = http::head("GET", path, &["X-Forwarded-For: 192.0.2.1"], 0);
            connection.write_all(head.as_bytes()).expect("it listens");
            let mut status = [0; 12];
            connection.read_exact(&mut status).expect("an answer");
            assert_eq!(&status, b"HTTP/1.1 200");
            connection
        };
        (0..3).map(stall).collect()
    })
    .await;
    assert_eq!(export("192.0.2.1").await, (503, Some(json!("too_many_exports"))));
    assert_eq!(export("192.0.2.2").await, (200, None));
    let begun = Instant::now();
    while export("192.0.2.1").await.0 != 200 {
        assert!(begun.elapsed() < PATIENCE, "they are not disconnected");
        tokio::task::yield_now().await;
    }
    drop(stalled);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_block_other_clients() {
    let _ = affordable(MANY);
    let app = spawn_app_with(unlimited()).await;
    let address = app.address();
    let idle: Vec<_> = (0..500).map(|_| http::open(address).expect("it listens")).collect();
    assert_serving(&app, "beside").await;
    assert!(open_connections(&app).await >= 500);
    drop(idle);
    let begun = Instant::now();
    while open_connections(&app).await > 10 {
        assert!(begun.elapsed() < PATIENCE, "they are not let go");
        tokio::task::yield_now().await;
    }
    app.stop().await;
}

async fn open_connections(app: &TestApp) -> u64 {
    let metrics = app.request(reqwest::Method::GET, "/metrics").send().await.expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    let line = metrics.lines().find_map(|line| line.strip_prefix("telemetry_connections "));
    line.and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn excess_connections_receive_a_503_and_the_others_stay() {
    let _ = affordable(MANY);
    let few = ProtectionVariables { max_connections: Some("3".to_owned()), ..unlimited() };
    let app = spawn_app_with(few).await;
    let address = app.address();
    let said = aside(move || {
        let mut served: Vec<TcpStream> = (0..3).map(|_| http::open(address).expect("it listens")).collect();
        // A response to each shows that all are accepted.
        let ping = |connection: &mut TcpStream| {
            connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("it listens");
            let mut status = [0; 12];
            connection.read_exact(&mut status).expect("an answer");
            let mut rest = [0; 4096];
            let _ = connection.read(&mut rest).expect("an answer");
            assert_eq!(&status, b"HTTP/1.1 200");
        };
        served.iter_mut().for_each(ping);
        let refused = http::get(address, "/healthz").expect("an answer");
        assert_eq!(refused.status, 503);
        assert_eq!(refused.json()["error"], "too_many_connections");
        for line in ["retry-after: 2", "connection: close"] {
            assert!(refused.head.contains(line), "{}", refused.head);
        }
        // Further connections get the 503 without a request. Some of the others may be closed meanwhile.
        let waiting: Vec<_> = (0..1000).map(|_| http::open(address).expect("it listens")).collect();
        let unasked = waiting.iter().rev().find_map(|mut connection| {
            let mut said = String::new();
            connection.read_to_string(&mut said).expect("an end");
            Some(said).filter(|said| !said.is_empty())
        });
        served.iter_mut().for_each(ping);
        unasked.expect("one of them got an answer")
    });
    let unasked = said.await;
    let (head, body) = unasked.split_once("\r\n\r\n").expect("a head");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 503") && head.contains("\r\nretry-after: 2"), "{head}");
    assert!(head.contains("\r\nx-content-type-options: nosniff"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    let body: Value = serde_json::from_str(body).expect("a JSON answer");
    assert_eq!(body["error"], "too_many_connections");
    let begun = Instant::now();
    let answer = async || {
        let answer = app.request(reqwest::Method::GET, "/healthz").header("connection", "close").send().await;
        answer.map(|answer| answer.status().as_u16())
    };
    while !matches!(answer().await, Ok(200)) {
        assert!(begun.elapsed() < PATIENCE, "there is room again");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_too_great_a_declared_length_is_refused_unread() {
    let app = spawn_app_with(unlimited()).await;
    let address = app.address();
    let answer = aside(move || {
        let mut connection = http::open(address).expect("it listens");
        let head = http::head("POST", "/telemetry", &[], 262_145);
        connection.write_all(head.as_bytes()).expect("it listens");
        http::answer(connection)
    });
    let answer = answer.await.expect("an answer before the body");
    assert_eq!((answer.status, &answer.json()["error"]), (413, &json!("body_too_large")));
    app.stop().await;
}

/// A decompression bomb has no effect, because the body is not read.
#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_event_is_refused_without_decompression() {
    let app = spawn_app_with(unlimited()).await;
    // An empty gzip member and arbitrary bytes.
    let body = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0; 1000]].concat();
    for encoding in ["gzip", "GZIP", "deflate", "gzip, gzip", "identity, gzip"] {
        let request = app.request(reqwest::Method::POST, "/telemetry").header("content-encoding", encoding);
        let response = request.body(body.clone()).send().await.expect("an answer");
        assert_eq!(response.status(), 415, "{encoding}");
    }
    app.stop().await;
}

/// The response to a raw request; `None` if the server closed the connection without one.
fn ask(address: SocketAddr, request: &str) -> Option<Answer> {
    let mut connection = http::open(address).expect("it listens");
    connection.write_all(request.as_bytes()).expect("it listens");
    // An incomplete request will not be completed.
    let _ = connection.shutdown(Shutdown::Write);
    http::answer(connection).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_methods_and_paths_get_a_clean_404_or_405() {
    let app = spawn_app_with(unlimited()).await;
    let address = app.address();
    aside(move || {
        for (line, status) in [
            ("GET /../../etc/passwd", 404),
            ("GET /%2e%2e/%2e%2e/etc/passwd", 404),
            ("GET /api/../metrics", 404),
            ("GET /api/runs/..%2f..%2fmetrics", 404),
            ("GET /api/runs/a%2Fb", 404),
            ("GET /api/runs/%00", 404),
            ("GET /api/runs/%ff%fe", 404),
            ("GET //", 404),
            ("GET //healthz", 404),
            ("GET /healthz/", 404),
            ("GET /healthz%2f", 404),
            ("GET /HEALTHZ", 404),
            ("GET /%68ealthz", 200),
            ("GET *", 404),
            ("OPTIONS *", 404),
            ("GET http://elsewhere.example/nothing", 404),
            ("POST /telemetry/../telemetry", 404),
            ("TRACE /", 405),
            ("TRACE /telemetry", 405),
            ("PROPFIND /", 405),
            ("BREW /telemetry", 405),
            ("OPTIONS /telemetry", 405),
            ("DELETE /metrics", 405),
            ("PUT /api/dashboard", 405),
            ("CONNECT /telemetry", 405),
            ("CONNECT elsewhere.example:443", 404),
        ] {
            let request = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let answer = ask(address, &request).unwrap_or_else(|| panic!("{line}: no answer"));
            assert_eq!(answer.status, status, "{line}: {}", answer.head);
            assert_eq!(answer.head.contains("\r\nallow: "), status == 405, "{line}: {}", answer.head);
            if status != 200 {
                let error = if status == 404 { "not_found" } else { "method_not_allowed" };
                assert_eq!(answer.json()["error"], error, "{line}");
            }
            assert!(!answer.head.contains("\r\nlocation:"), "{line}: {}", answer.head);
        }
    })
    .await;
    assert_serving(&app, "after").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_http_is_refused_at_once_and_without_a_500() {
    let app = spawn_impatient_app().await;
    let address = app.address();
    aside(move || {
        let post = "POST /telemetry HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
        let body = r#"{"random_id":"smuggled","nsapp":"x"}"#;
        let smuggled =
            format!("0\r\n\r\nPOST /telemetry HTTP/1.1\r\nHost: x\r\nContent-Length: 36\r\n\r\n{body}");
        for request in [
            format!(
                "{post}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{smuggled}",
                smuggled.len()
            ),
            format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{smuggled}"),
            format!("{post}Content-Length: 4\r\nContent-Length: 36\r\n\r\n{body}"),
            format!("{post}Content-Length: +36\r\n\r\n{body}"),
            format!("{post}Content-Length: -1\r\n\r\n{body}"),
            format!("{post}Content-Length: 99999999999999999999999\r\n\r\n{body}"),
            format!("{post}Transfer-Encoding: xchunked\r\n\r\n{smuggled}"),
            format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n"),
            format!("{post}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{body}"),
            format!("{post} Content-Length: 36\r\n\r\n{body}"),
            format!("{post}X-Big: {}\r\n\r\n", "a".repeat(200_000)),
            format!("{post}{}\r\n", "X: y\r\n".repeat(200)),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            "GET /healthz\r\n\r\n".to_owned(),
            "GET /healthz HTTP/9.9\r\n\r\n".to_owned(),
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".to_owned(),
            "\0".repeat(1000),
        ] {
            let shown = &request[..request.len().min(120)];
            match ask(address, &request) {
                Some(answer) => {
                    assert!((400..500).contains(&answer.status), "{} to {shown:?}", answer.status);
                    let text = String::from_utf8_lossy(&answer.body);
                    assert!(!text.contains("HTTP/1.1 200"), "{shown:?} is two requests: {text}");
                }
                // The server closed before the whole request was sent, so the response may be lost.
                None => assert!(request.len() > 100_000, "{shown:?}"),
            }
        }
    })
    .await;
    assert_serving(&app, "after").await;
    assert_eq!(app.executions().await, 1, "nothing was smuggled in");
    app.stop().await;
}

#[test]
fn malformed_http_is_not_logged() {
    let data = DataDir::new();
    let server = Server::start(&data);
    for _ in 0..20 {
        assert_eq!(ask(server.address, "no HTTP\r\n\r\n").map(|answer| answer.status), Some(400));
    }
    // The start may still be logging.
    let log = server.stderr();
    assert!(!log.contains("ERROR") && !log.contains("actix_http"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_has_security_headers_and_get_is_open_to_all_origins() {
    let app = spawn_app_with(unlimited()).await;
    let send = async |method: &str, path: &str| {
        let method = method.parse().expect("a method");
        app.request(method, path)
            .header("origin", "https://elsewhere.example")
            .send()
            .await
            .expect("an answer")
    };
    for (method, path, status) in [
        ("GET", "/", 200),
        ("GET", "/metrics", 200),
        ("GET", "/nothing", 404),
        ("GET", "/api/dashboard?days=x", 400),
        ("GET", "/telemetry", 405),
        ("POST", "/telemetry", 400),
        ("POST", "/api/dashboard", 405),
        ("HEAD", "/telemetry", 200),
        ("OPTIONS", "/api/dashboard", 204),
    ] {
        let response = send(method, path).await;
        assert_eq!(response.status(), status, "{method} {path}");
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let policy = header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "nothing inline");
        assert_eq!(header("x-content-type-options"), Some("nosniff"), "{method} {path}");
        assert_eq!(header("referrer-policy"), Some("no-referrer"), "{method} {path}");
        assert_eq!(header("x-frame-options"), Some("DENY"), "{method} {path}");
        let origin = (method == "GET" || method == "OPTIONS").then_some("*");
        assert_eq!(header("access-control-allow-origin"), origin, "{method} {path}");
        let methods = (method == "OPTIONS").then_some("GET");
        assert_eq!(header("access-control-allow-methods"), methods, "{method} {path}");
        assert_eq!(header("server"), None);
    }
    app.stop().await;
}
