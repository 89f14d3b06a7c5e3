//! Whose request it is, for the limits only: the address of the connection, or the one that a
//! trusted proxy names.
//!
//! A proxy appends the address it was called from to what the client claims. So the headers are
//! read from the right, through proxies that are trusted; the first address of somebody else is
//! the client, and what stands left of it is hearsay. Proxies write one of two headers and often
//! pass the other one on as it came: if both are there and disagree, neither is believed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;

/// Proxies that a request may have come through.
const MAX_HOPS: usize = 16;

/// An IPv4 address, or the /64 of an IPv6 address, for a network gives its customer at least so much.
/// Only good for being hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client(u128);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(..)")
    }
}

impl Client {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() & (u128::MAX << 64),
        })
    }
}

/// Who sent a request that came from `peer` with `headers`.
#[must_use]
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Client {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return Client::of(peer);
    }
    let listed = nearest(peer, headers, X_FORWARDED_FOR, trusted, listed_address);
    let forwarded = nearest(peer, headers, FORWARDED, trusted, forwarded_address);
    match (listed, forwarded) {
        (Some(listed), Some(forwarded)) if Client::of(listed) != Client::of(forwarded) => Client::of(peer),
        (Some(address), _) | (None, Some(address)) => Client::of(address),
        (None, None) => Client::of(peer),
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The rightmost address in a header that is not a trusted proxy's; where the header cannot be
/// read on, the last proxy that could. `None` without the header.
fn nearest(
    peer: IpAddr,
    headers: &HeaderMap,
    name: HeaderName,
    trusted: &[IpNet],
    read: impl Fn(&str) -> Option<IpAddr>,
) -> Option<IpAddr> {
    let lines: Vec<&str> = headers.get_all(name).map(|line| line.to_str().unwrap_or_default()).collect();
    if lines.is_empty() {
        return None;
    }
    let mut nearest = peer;
    // Quotes are not minded: an address has no comma, and what is left of it may be a trap.
    for element in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(MAX_HOPS) {
        let Some(address) = read(element.trim()) else { break };
        nearest = address.to_canonical();
        if !is_trusted(nearest, trusted) {
            break;
        }
    }
    Some(nearest)
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn listed_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

/// `for="[2001:db8::1]:4711";proto=https`, RFC 7239.
fn forwarded_address(element: &str) -> Option<IpAddr> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })?;
    listed_address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// The client of a request from `peer` through the proxies 10.0.0.0/8 and 2001:db8:ffff::/48.
    fn from(peer: &str, lines: &[(&str, &str)]) -> Client {
        let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|network| network.parse().expect("a network"));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        client(address(peer), &headers, &trusted)
    }

    fn is(text: &str) -> Client {
        Client::of(address(text))
    }

    #[test]
    fn a_header_of_somebody_who_is_not_trusted_is_ignored() {
        let lines = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(from("203.0.113.9", &lines), is("203.0.113.9"));
        assert_eq!(from("::ffff:203.0.113.9", &lines), is("203.0.113.9"));
    }

    #[test]
    fn the_headers_are_counted_from_the_right() {
        for (lines, expected) in [
            (&[("x-forwarded-for", "192.0.2.1")][..], "192.0.2.1"),
            (&[("x-forwarded-for", "1.1.1.1, 192.0.2.1")], "192.0.2.1"),
            (&[("x-forwarded-for", "1.1.1.1,192.0.2.1 , 10.1.1.1,10.2.2.2")], "192.0.2.1"),
            (&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1"),
            (&[("x-forwarded-for", "192.0.2.1:4711")], "192.0.2.1"),
            (&[("x-forwarded-for", "::ffff:192.0.2.1")], "192.0.2.1"),
            (&[("x-forwarded-for", "[2001:db8::1]:80, 10.0.0.1")], "2001:db8::1"),
            (&[("x-forwarded-for", "2001:db8::1, 2001:db8:ffff::7")], "2001:db8::1"),
            (&[("forwarded", "for=192.0.2.1;proto=https;by=10.0.0.1")], "192.0.2.1"),
            (&[("forwarded", r#"proto=https; For="[2001:db8::1]:4711""#)], "2001:db8::1"),
            (&[("forwarded", r#"for="1.1.1.1, for=192.0.2.1"#)], "192.0.2.1"),
            (&[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1"),
            // Every one is trusted: the farthest.
            (&[("x-forwarded-for", "10.3.3.3, 10.2.2.2")], "10.3.3.3"),
        ] {
            assert_eq!(from("10.0.0.1", lines), is(expected), "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_leaves_the_last_proxy_that_could() {
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&[("x-forwarded-for", "")], "10.0.0.1"),
            (&[("x-forwarded-for", "192.0.2.1, unknown")], "10.0.0.1"),
            (&[("x-forwarded-for", "192.0.2.1, unknown, 10.2.2.2")], "10.2.2.2"),
            (&[("forwarded", "for=_hidden")], "10.0.0.1"),
            (&[("forwarded", "by=10.0.0.1")], "10.0.0.1"),
            (&[("forwarded", r#"for=192.0.2.1, by="a,b""#)], "10.0.0.1"),
            // One of the two came from the client.
            (&[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.2")], "10.0.0.1"),
        ] {
            assert_eq!(from("10.0.0.1", lines), is(expected), "{lines:?}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_loopback_is_not_an_ipv4_address() {
        assert_eq!(is("2001:db8:1:2::1"), is("2001:db8:1:2:ffff::9"));
        assert_ne!(is("2001:db8:1:2::1"), is("2001:db8:1:3::1"));
        assert_ne!(is("::1"), is("0.0.0.0"));
        assert_eq!(format!("{:?}", is("192.0.2.1")), "Client(..)");
    }

    proptest! {
        /// Whatever a client writes, it cannot be taken for another than it is.
        #[test]
        fn no_claim_of_the_client_matters(claim in "[ -~]{0,60}", header in 0_usize..2, by_line: bool) {
            let name = ["x-forwarded-for", "forwarded"][header];
            let truth = ["192.0.2.1", "for=192.0.2.1"][header];
            let joined = format!("{claim},{truth}");
            let lines = if by_line { vec![(name, claim.as_str()), (name, truth)] } else { vec![(name, joined.as_str())] };
            prop_assert_eq!(from("10.0.0.1", &lines), is("192.0.2.1"));
            // In the header that the proxy passes on as it came.
            let other = ["forwarded", "x-forwarded-for"][header];
            let seen = from("10.0.0.1", &[(name, truth), (other, &claim)]);
            prop_assert!(seen == is("192.0.2.1") || seen == is("10.0.0.1"));
        }
    }
}
