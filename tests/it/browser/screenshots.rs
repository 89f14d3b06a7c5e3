//! The pictures of the documentation, drawn anew by `make screenshots`.

use std::path::Path;

use super::chromium::{Chromium, Look, WIDE};
use super::site::open_site;

const LARGEST: usize = 200_000;
const PICTURES: [(&str, Look); 4] = [
    ("overview", WIDE),
    ("failure", WIDE),
    ("script", WIDE),
    ("overview-dark", Look { theme: "dark", ..WIDE }),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it writes files: make screenshots"]
async fn the_documentation_has_pictures_of_the_pages() {
    let app = open_site("1").await;
    let browser = Chromium::start(&app.url).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, look) in PICTURES {
        browser.show(look).await;
        browser.open(if name == "script" { "/scripts/jellyfin" } else { "/" }).await;
        if name == "failure" {
            browser.click("section[aria-labelledby=broke] tbody a.reason").await;
            browser.until("location.pathname.startsWith('/failures/')").await;
        }
        let picture = browser.picture().await;
        assert!(picture.len() <= LARGEST, "{name} has {} bytes", picture.len());
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("it can be written");
    }
    browser.close().await;
    app.stop().await;
}
