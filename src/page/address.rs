//! The address of a page, whose query is the state of the page: every link keeps the parameters that are set.

use form_urlencoded::{Serializer, parse};

/// The parameters that all pages share, as in the API.
const COMMON: [&str; 7] = ["days", "from", "to", "repo", "slug", "type", "platform"];

/// A path with the parameters that are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    path: String,
    parameters: Vec<(&'static str, String)>,
}

impl Address {
    /// Reads the common parameters and those that the page has of its own. Others are dropped, and so are empty ones,
    /// which the API treats as absent.
    #[must_use]
    pub fn read(path: &str, query: &str, own: &[&'static str]) -> Self {
        let names = COMMON.iter().chain(own);
        let sent: Vec<_> = parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()).collect();
        let parameters = names.filter_map(|name| {
            let (_, value) = sent.iter().find(|(sent, _)| sent == name)?;
            Some((*name, value.clone().into_owned()))
        });
        Self { path: path.to_owned(), parameters: parameters.collect() }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value of a parameter; `None` if it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(set, _)| *set == name).map(|(_, value)| value.as_str())
    }

    /// The parameters that are set.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.parameters.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// This page with some parameters changed; an empty value removes one.
    #[must_use]
    pub fn with(&self, changes: &[(&'static str, &str)]) -> Self {
        let kept =
            self.parameters.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        let set = changes.iter().filter(|(_, value)| !value.is_empty());
        let parameters = kept.cloned().chain(set.map(|(name, value)| (*name, (*value).to_owned())));
        Self { path: self.path.clone(), parameters: parameters.collect() }
    }

    /// Another page or an endpoint of the API with the common parameters of this page. Each part of the path is
    /// escaped, so it can be any text.
    #[must_use]
    pub fn to(&self, path: &[&str]) -> Self {
        let common = self.parameters.iter().filter(|(name, _)| COMMON.contains(name));
        let path: String = path.iter().map(|part| format!("/{}", escape(part))).collect();
        Self {
            path: if path.is_empty() { "/".to_owned() } else { path },
            parameters: common.cloned().collect(),
        }
    }

    /// The same with all parameters of this page, for the endpoint of the API with the same parameters.
    #[must_use]
    pub fn api(&self, path: &[&str]) -> Self {
        Self { parameters: self.parameters.clone(), ..self.to(path) }
    }

    /// The address relative to this server.
    #[must_use]
    pub fn href(&self) -> String {
        if self.parameters.is_empty() {
            return self.path.clone();
        }
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.parameters);
        format!("{}?{}", self.path, query.finish())
    }
}

/// Escapes a part of a path as RFC 3986 requires.
fn escape(part: &str) -> String {
    let mut escaped = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => escaped.push(byte.into()),
            // Browsers resolve the segments `.` and `..`.
            b'.' if part.bytes().any(|byte| byte != b'.') => escaped.push('.'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(query: &str) -> Address {
        Address::read("/failures", query, &["blame"])
    }

    #[test]
    fn links_keep_the_parameters_that_are_set() {
        let address = address("days=7&from=&unknown=x&blame=host&slug=a%2Fb");
        assert_eq!(address.href(), "/failures?days=7&slug=a%2Fb&blame=host");
        assert_eq!(address.with(&[("days", "30"), ("blame", "")]).href(), "/failures?slug=a%2Fb&days=30");
        assert_eq!(address.to(&["scripts", "a/b?c"]).href(), "/scripts/a%2Fb%3Fc?days=7&slug=a%2Fb");
        assert_eq!(
            address.api(&["api", "signatures"]).href(),
            "/api/signatures?days=7&slug=a%2Fb&blame=host"
        );
        assert_eq!(address.to(&[]).path(), "/");
    }

    #[test]
    fn any_text_can_be_part_of_an_address() {
        let address = address("slug=\"'<&%00%0a文").to(&["scripts", "\"><script>', 文 .."]);
        let href = address.href();
        assert!(href.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>".contains(&byte)), "{href}");
        assert_eq!(escape(".."), "%2E%2E");
        assert_eq!(escape("node.js"), "node.js");
    }
}
