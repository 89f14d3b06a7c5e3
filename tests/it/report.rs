//! The weekly report: printed, and sent to a real mail server, which is one of a few lines.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use crate::common::app::{TestApp, spawn_app};
use crate::common::server::{Finished, run};
use chrono::Utc;
use telemetry_seed::{Plan, seed};

/// Takes one message and returns what it was told.
fn mail_server(answer_to_data: &'static str) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut told = Vec::new();
        talk(&stream, answer_to_data, &mut told);
        told
    });
    (address, server)
}

fn talk(stream: &TcpStream, answer_to_data: &str, told: &mut Vec<String>) {
    let mut writer = stream;
    let mut say = |line: &str| writer.write_all(format!("{line}\r\n").as_bytes()).expect("it listens");
    say("220 sink");
    let mut in_data = false;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        match line.split(' ').next().unwrap_or_default() {
            "." if in_data => {
                in_data = false;
                say(answer_to_data);
            }
            _ if in_data => {}
            "EHLO" => say("250 sink"),
            "DATA" => {
                in_data = true;
                say("354 go on");
            }
            "QUIT" => {
                say("221 bye");
                return;
            }
            _ => say("250 ok"),
        }
        told.push(line);
    }
}

/// A server with three weeks of runs, of which the last days have a planted failure.
async fn seeded() -> TestApp {
    let app = spawn_app().await;
    let plant = "app=jellyfin,from=5,rate=0.9,exit_code=100,error=E: Unable to locate package ffmpeg7";
    let plants = vec![plant.parse().expect("a plant")];
    let plan = Plan { executions: 8_000, days: 21, seed: 3, until: Utc::now(), plants };
    seed(app.pool(), &plan, |_| {}).await.expect("it runs");
    app
}

fn report(app: &TestApp, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    let options = app.pool().connect_options();
    let socket = options.get_socket().expect("a socket").display().to_string();
    let (user, database) = (options.get_username(), options.get_database().expect("a name"));
    let url = format!("postgres://{user}@localhost/{database}?host={socket}");
    let variables = [&[("DATABASE_URL", url.as_str()), ("LOG", "warn")], variables].concat();
    tokio::task::block_in_place(|| run(&[&["report", "--week"], arguments].concat(), &variables))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_printed_in_both_formats() {
    let app = seeded().await;
    let resolve = "insert into triage (signature, state, since, regressed_at)
        select id, 'resolved', now() - interval '3 days', now() - interval '2 days' from signature
        where template like '%ffmpeg7'";
    assert_eq!(sqlx::query(resolve).execute(app.pool()).await.expect("it runs").rows_affected(), 1);
    let markdown = report(&app, &[], &[]);
    assert_eq!((markdown.code, markdown.stderr.as_str()), (Some(0), ""));
    let text = &markdown.stdout;
    for heading in [
        "## Regressions",
        "## Worst",
        "## Best",
        "## New scripts",
        "## Failures that came back",
        "## New failures",
    ] {
        assert!(text.contains(heading), "{heading} in {text}");
    }
    let part =
        |from: &str, to: &str| text.split(from).nth(1).and_then(|rest| rest.split(to).next()).expect(from);
    assert!(part("## Regressions", "## Worst").contains("| `jellyfin` |"), "{text}");
    let came_back = part("## Failures that came back", "## New failures");
    assert!(came_back.contains("ffmpeg7` | script |") && came_back.contains("| jellyfin |"), "{text}");
    let failed: i64 = sqlx::query_scalar(
        "select sum(runs)::bigint from rollup_script join population on id = population
         where repo = 'ProxmoxVE' and app <> '' and outcome = 'failed'
             and day between (now() at time zone 'UTC')::date - 7 and (now() at time zone 'UTC')::date - 1",
    )
    .fetch_one(app.pool())
    .await
    .expect("it runs");
    assert!(part("| `failed` | ", "\n").starts_with(&format!("{failed} | ")), "{failed} in {text}");

    let html = report(&app, &["--format", "html"], &[]).stdout;
    assert!(html.starts_with("<!doctype html>") && html.contains(">jellyfin</td>"), "{html}");
    let old = report(&app, &["2020-01-07"], &[]);
    assert!(
        old.stdout.contains("2020-01-01 to 2020-01-07") && old.stdout.contains("Of 0 runs"),
        "{}",
        old.stdout
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_sent_as_text_and_html() {
    let app = seeded().await;
    let (address, server) = mail_server("250 taken");
    let smtp = format!("smtp://{address}");
    let variables = [
        ("SMTP_URL", smtp.as_str()),
        ("REPORT_FROM", "Telemetry <telemetry@example.org>"),
        ("REPORT_TO", "a@example.org, B <b@example.org>"),
    ];
    let sent = report(&app, &["--send"], &variables);
    assert_eq!((sent.code, sent.stdout.as_str()), (Some(0), ""), "{}", sent.stderr);
    let told = server.join().expect("it has taken one");
    for line in ["MAIL FROM:<telemetry@example.org>", "RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>"] {
        assert!(told.iter().any(|shown| shown.starts_with(line)), "{line} in {told:?}");
    }
    let message = told.join("\n");
    for part in [
        "Subject: Telemetry, ",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "jellyfin",
        "<!doctype html>",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_cannot_be_sent_is_an_error() {
    let app = spawn_app().await;
    let without = report(&app, &["--send"], &[]);
    assert_eq!(without.code, Some(1));
    assert!(without.stderr.contains("SMTP_URL"), "{}", without.stderr);
    let (address, server) = mail_server("554 no");
    let smtp = format!("smtp://user:hunter2@{address}");
    let variables =
        [("SMTP_URL", smtp.as_str()), ("REPORT_FROM", "a@example.org"), ("REPORT_TO", "b@example.org")];
    let refused = report(&app, &["--send"], &variables);
    assert_eq!(refused.code, Some(1));
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    server.join().expect("it was asked");
    app.stop().await;
}
