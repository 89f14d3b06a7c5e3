//! Pages are valid HTML and small.

use std::path::Path;
use std::process::Command;

use super::site::{addresses, html, open_empty_site, open_site, response};

const LARGEST_PAGE: usize = 100_000;
const LARGEST_ASSETS: usize = 40_000;

/// What html-validate says of pages; empty if they are valid.
fn invalid(pages: &[(String, String)]) -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page");
    let program = own.join("node_modules/html-validate/bin/html-validate.mjs");
    assert!(program.exists(), "scripts/setup test installs what this test needs");
    let folder = tempfile::tempdir().expect("a folder");
    for (number, (address, page)) in pages.iter().enumerate() {
        let name: String =
            address.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(80).collect();
        std::fs::write(folder.path().join(format!("{number}{name}.html")), page).expect("it is empty");
    }
    let mut command = Command::new("node");
    command.arg(program).arg("--config").arg(own.join("html-validate.json")).arg("--formatter=text");
    let output = command.arg(folder.path()).output().expect("node is installed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { String::new() } else { said }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_valid_and_small() {
    let app = open_site("1").await;
    let mut pages = Vec::new();
    for address in addresses(&app, &["/", "/?days=365&repo=all"], "").await {
        let page = html(&app, &address, "").await;
        assert!(page.len() <= LARGEST_PAGE, "{address} has {} bytes", page.len());
        pages.push((address, page));
    }
    for address in ["/nothing", "/?days=soon", "/failures/0000000000000001", "/failures/x"] {
        let response = response(&app, address, "").await;
        assert!(response.status().is_client_error(), "{address}: {}", response.status());
        pages.push((address.to_owned(), response.text().await.expect("a text")));
    }
    let assets = |page: &str| -> Vec<String> {
        let parts = page.split('"').filter(|part| part.ends_with(".css") || part.ends_with(".js"));
        parts.map(str::to_owned).collect()
    };
    let mut size = 0;
    for path in assets(&pages[0].1) {
        size += response(&app, &path, "").await.text().await.expect("a text").len();
    }
    assert!((1..=LARGEST_ASSETS).contains(&size), "script and style have {size} bytes");
    app.stop().await;
    let app = open_empty_site().await;
    for address in addresses(&app, &["/"], "").await {
        pages.push((format!("empty {address}"), html(&app, &address, "").await));
    }
    app.stop().await;
    let said = invalid(&pages);
    assert!(said.is_empty(), "{said}");
}

#[test]
fn markup_that_is_not_valid_is_noticed() {
    let page = "<!DOCTYPE html><html lang=\"en\"><head><title>a</title></head><body><p><div></div></p></body></html>";
    assert!(invalid(&[("wrong".to_owned(), page.to_owned())]).contains("error"));
}
