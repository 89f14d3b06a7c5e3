//! A real Prometheus that scrapes a server every second, with our rules.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;

/// It is stopped with the value.
pub(crate) struct Prometheus {
    url: String,
    client: Client,
    child: Child,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts it. It needs a moment until it answers.
    pub(crate) fn start(target: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
        for rules in ["recording.yml", "alerts.yml"] {
            let text = fs::read_to_string(ours.join(rules)).expect("it is there");
            // What is computed seldom shall be there at once.
            fs::write(path(rules), text.replace("interval: 5m", "interval: 1s")).expect("it is ours");
        }
        let config = fs::read_to_string(ours.join("prometheus.yml")).expect("it is there");
        let config = config
            .replace("interval: 15s", "interval: 1s")
            .replace("interval: 30s", "interval: 1s")
            .replace("scrape_timeout: 10s", "scrape_timeout: 1s")
            .replace("localhost:8080", target)
            .replace("localhost:9093", "127.0.0.1:1");
        assert!(config.contains(target), "the configuration names the server");
        fs::write(path("prometheus.yml"), config).expect("it is ours");
        // Prometheus does not report the port it chose, so it gets one that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port").to_string();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--web.console.templates=/none", "--web.console.libraries=/none", "--log.level=error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is installed (scripts/setup test)");
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { url: format!("http://{address}"), client, child, _folder: folder }
    }

    /// The samples of an instant query; `None` while it does not answer.
    pub(crate) async fn query(&self, query: &str) -> Option<Vec<Value>> {
        let request = self.client.get(format!("{}/api/v1/query?query={}", self.url, encoded(query)));
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        assert_ne!(answer["errorType"], "bad_data", "{query}: {answer}");
        answer["data"]["result"].as_array().cloned()
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
