//! A Chromium of a test's own, driven by Debian's chromedriver. Both end with the value.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Chromiums that run at the same time. Each takes some 300 MB.
static FREE: Semaphore = Semaphore::const_new(2);
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// Chromium ends when its pipe to the driver closes. No name is resolved, so that no request leaves this machine.
const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// The width of a window in pixels, and the colours that the system asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) width: u32,
    pub(super) theme: &'static str,
}

pub(super) const WIDE: Look = Look { width: 1280, theme: "light" };
/// The looks that every page must fit.
pub(super) const LOOKS: [Look; 4] = [
    WIDE,
    Look { width: 1280, theme: "dark" },
    Look { width: 360, theme: "light" },
    Look { width: 360, theme: "dark" },
];

pub(super) struct Chromium {
    client: Client,
    driver: Child,
    /// `http://127.0.0.1:port` of the server.
    url: String,
    _profile: TempDir,
    _permit: SemaphorePermit<'static>,
}

impl Chromium {
    /// Starts one for the pages of a server.
    pub(super) async fn start(url: &str) -> Self {
        let permit = FREE.acquire().await.expect("it is never closed");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let (driver, port) = start_driver();
        let user_data = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<_> = FLAGS.into_iter().chain([user_data.as_str()]).collect();
        let wanted = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(serde_json::from_value(wanted).expect("an object"));
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.expect("Chromium starts");
        let browser = Self { client, driver, url: url.to_owned(), _profile: profile, _permit: permit };
        browser.show(WIDE).await;
        // Chromium's own first page loads for a moment.
        browser.open_elsewhere("about:blank").await;
        browser.said_and_requested().await;
        browser
    }

    /// Ends it in good order, so that its profile can be removed.
    pub(super) async fn close(self) {
        self.client.clone().close().await.expect("it runs");
    }

    /// Changes the width and the colours.
    pub(super) async fn show(&self, look: Look) {
        let size = json!({ "width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let theme = json!({ "features": [{ "name": "prefers-color-scheme", "value": look.theme }] });
        self.devtools("Emulation.setEmulatedMedia", theme).await;
    }

    /// Pages that are opened from now on run no script.
    pub(super) async fn disable_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    }

    /// Opens a path of the server.
    pub(super) async fn open(&self, path: &str) {
        self.open_elsewhere(&format!("{}{path}", self.url)).await;
    }

    async fn open_elsewhere(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    pub(super) async fn back(&self) {
        self.client.back().await.expect("there is a page before");
    }

    pub(super) async fn forward(&self) {
        self.client.forward().await.expect("there is a page after");
    }

    /// Path and query of the page.
    pub(super) async fn path(&self) -> String {
        let url = self.client.current_url().await.expect("a page is open");
        url.as_str().strip_prefix(&self.url).unwrap_or(url.as_str()).to_owned()
    }

    /// Waits for the first element that a CSS selector finds, and clicks it. A page that opens is loaded afterwards.
    pub(super) async fn click(&self, selector: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        let element = match found {
            Ok(element) => element,
            Err(error) => panic!("{selector} is not on {}: {error}", self.path().await),
        };
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Moves the focus by the Tab key to the first element that a selector finds, and presses Enter.
    pub(super) async fn enter(&self, selector: &str) {
        let is_there = "return document.activeElement === document.querySelector(arguments[0])";
        for _ in 0..300 {
            self.press(Key::Tab.into()).await;
            if self.run(is_there, json!([selector])).await == true {
                return self.press(Key::Enter.into()).await;
            }
        }
        panic!("the Tab key does not reach {selector} on {}", self.path().await);
    }

    /// Presses a key. A page that opens is loaded afterwards.
    pub(super) async fn press(&self, key: char) {
        let active = self.client.active_element().await.expect("there is always one");
        active.send_keys(&key.to_string()).await.expect("it takes keys");
    }

    /// Types into the field that a selector finds, instead of what is in it.
    pub(super) async fn fill(&self, selector: &str, text: &str) {
        let field = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        let field = field.unwrap_or_else(|error| panic!("{selector}: {error}"));
        field.clear().await.expect("it is a field");
        field.send_keys(text).await.expect("it takes text");
    }

    /// Waits until an expression in JavaScript is true.
    pub(super) async fn until(&self, expression: &str) {
        let script = format!("return !!({expression})");
        let begun = Instant::now();
        while self.run(&script, json!([])).await != true {
            assert!(begun.elapsed() < PATIENCE, "never on {}: {expression}", self.path().await);
        }
    }

    /// What a function body in JavaScript returns. It is not subject to the policy of the page.
    pub(super) async fn run(&self, script: &str, arguments: Value) -> Value {
        let Value::Array(arguments) = arguments else { panic!("arguments are a list") };
        self.client.execute(script, arguments).await.unwrap_or_else(|error| panic!("{script:.200}: {error}"))
    }

    /// What a promise in JavaScript resolves to.
    pub(super) async fn run_async(&self, promise: &str) -> Value {
        let script =
            format!("const done = arguments[0]; ({promise}).then(done, error => done(String(error)));");
        self.client.execute_async(&script, Vec::new()).await.expect("it ends")
    }

    /// The text of the first element that a selector finds, as it is shown.
    pub(super) async fn text(&self, selector: &str) -> String {
        let element = self.client.find(Locator::Css(selector)).await;
        let element = element.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.text().await.expect("it is there")
    }

    /// How many elements a selector finds.
    pub(super) async fn count(&self, selector: &str) -> usize {
        self.client.find_all(Locator::Css(selector)).await.expect("a selector").len()
    }

    /// Asserts that since this was last asked the console was silent, and that no request left for another host.
    pub(super) async fn assert_quiet(&self, page: &str) {
        let (said, requested) = self.said_and_requested().await;
        assert!(said.is_empty(), "the console of {page}: {said:#?}");
        for url in requested {
            assert!(url.starts_with(&self.url), "{page} requests {url}");
        }
    }

    /// What the console has said, and every address that was requested, since this was last asked.
    pub(super) async fn said_and_requested(&self) -> (Vec<String>, Vec<String>) {
        let messages = self.log("browser").await;
        // Chromium gives advice about forms at the level DEBUG.
        let messages = messages.iter().filter(|entry| entry["level"] != "DEBUG");
        let said = messages.map(|entry| entry["message"].to_string()).collect();
        let mut requested = Vec::new();
        for entry in self.log("performance").await {
            let event: Value =
                serde_json::from_str(entry["message"].as_str().expect("a text")).expect("JSON");
            let event = &event["message"];
            if event["method"] == "Network.requestWillBeSent" {
                let url = event["params"]["request"]["url"].as_str().expect("a text");
                // Chromium draws its own icons, such as of date fields, from these.
                requested.extend((!url.starts_with("data:")).then(|| url.to_owned()));
            }
        }
        (said, requested)
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        match self.extension("se/log", json!({ "type": kind })).await {
            Value::Array(entries) => entries,
            other => panic!("not a list: {other}"),
        }
    }

    /// What the window shows, as a PNG.
    pub(super) async fn picture(&self) -> Vec<u8> {
        let picture = self.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
        STANDARD.decode(picture["data"].as_str().expect("a text")).expect("base64")
    }

    /// A command of the DevTools protocol.
    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.extension("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn extension(&self, path: &'static str, body: Value) -> Value {
        self.client
            .issue_cmd(Extension { path, body })
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Starts chromedriver on a free port. It ends with the thread of the test, however that ends.
fn start_driver() -> (Child, u16) {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "chromedriver", "--port=0"]).stdin(Stdio::null());
    let mut driver = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("setpriv starts");
    let output = BufReader::new(driver.stdout.take().expect("a pipe"));
    let mut lines = output.lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        line.strip_prefix("ChromeDriver was started successfully on port ")?
            .trim_end_matches('.')
            .parse()
            .ok()
    });
    (driver, port.expect("chromedriver starts; scripts/setup test installs it"))
}

/// A command of chromedriver that is not part of WebDriver.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
