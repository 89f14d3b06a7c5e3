//! The style sheet, the script and the icon. Their names contain a hash of their content, so that browsers can keep
//! them for ever.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file of the page.
#[derive(Debug)]
pub struct Asset {
    /// Path of its address.
    pub path: String,
    /// Media type.
    pub content_type: &'static str,
    /// Content.
    pub content: &'static str,
}

/// The style sheet.
pub static STYLE: LazyLock<Asset> =
    LazyLock::new(|| asset("style", "css", "text/css; charset=utf-8", include_str!("assets/style.css")));
/// The script.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    asset("script", "js", "text/javascript; charset=utf-8", include_str!("assets/script.js"))
});
/// The icon of the tab.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));

fn asset(name: &str, extension: &str, content_type: &'static str, content: &'static str) -> Asset {
    let digest = Sha256::digest(content);
    let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Asset { path: format!("/static/{name}.{hash}.{extension}"), content_type, content }
}

/// The file at this path; `None` if there is none, or no longer.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    [&STYLE, &SCRIPT, &ICON].into_iter().map(|asset| &**asset).find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_are_small() {
        let bytes = STYLE.content.len() + SCRIPT.content.len();
        assert!(bytes <= 40_000, "{bytes} bytes");
    }
}
