//! The address of the client, for the limits: the peer of the connection, or the client that trusted proxies name.
//!
//! Each proxy appends the address of its peer to the header that it received. So the headers are read from the
//! right, through trusted proxies; the first other address is the client, and everything left of it may be
//! forged. Proxies write one of two headers and often pass the other one on unchanged: if both are present and
//! disagree, neither is trusted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;

/// Largest number of proxies between a client and the server.
const MAX_HOPS: usize = 16;

/// An IPv4 address, or the /64 network of an IPv6 address, which is the least that a customer gets. It can only be
/// compared and hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(u128);

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAddress(..)")
    }
}

impl ClientAddress {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() & (u128::MAX << 64),
        })
    }
}

/// The client of a request from `peer` with `headers`.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> ClientAddress {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return ClientAddress::of(peer);
    }
    let listed = nearest(peer, headers, X_FORWARDED_FOR, trusted, listed_address);
    let forwarded = nearest(peer, headers, FORWARDED, trusted, forwarded_address);
    match (listed, forwarded) {
        (Some(listed), Some(forwarded)) if ClientAddress::of(listed) != ClientAddress::of(forwarded) => {
            ClientAddress::of(peer)
        }
        (Some(address), _) | (None, Some(address)) => ClientAddress::of(address),
        (None, None) => ClientAddress::of(peer),
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The rightmost address in a header that is not a trusted proxy. Behind an element that cannot be parsed: the
/// last address that could. `None` without the header.
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
    // Quotes are ignored: an address has no comma, and the client may have sent the opening quote.
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
    fn from(peer: &str, lines: &[(&str, &str)]) -> ClientAddress {
        let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|network| network.parse().expect("a network"));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        client_address(address(peer), &headers, &trusted)
    }

    fn is(text: &str) -> ClientAddress {
        ClientAddress::of(address(text))
    }

    #[test]
    fn headers_of_an_untrusted_peer_are_ignored() {
        let lines = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(from("203.0.113.9", &lines), is("203.0.113.9"));
        assert_eq!(from("::ffff:203.0.113.9", &lines), is("203.0.113.9"));
    }

    #[test]
    fn headers_are_read_from_the_right() {
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
            // All are trusted: the farthest.
            (&[("x-forwarded-for", "10.3.3.3, 10.2.2.2")], "10.3.3.3"),
        ] {
            assert_eq!(from("10.0.0.1", lines), is(expected), "{lines:?}");
        }
    }

    #[test]
    fn an_element_that_cannot_be_parsed_ends_the_chain() {
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&[("x-forwarded-for", "")], "10.0.0.1"),
            (&[("x-forwarded-for", "192.0.2.1, unknown")], "10.0.0.1"),
            (&[("x-forwarded-for", "192.0.2.1, unknown, 10.2.2.2")], "10.2.2.2"),
            (&[("forwarded", "for=_hidden")], "10.0.0.1"),
            (&[("forwarded", "by=10.0.0.1")], "10.0.0.1"),
            (&[("forwarded", r#"for=192.0.2.1, by="a,b""#)], "10.0.0.1"),
            // One of the two is forged.
            (&[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.2")], "10.0.0.1"),
        ] {
            assert_eq!(from("10.0.0.1", lines), is(expected), "{lines:?}");
        }
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_loopback_is_not_an_ipv4_address() {
        assert_eq!(is("2001:db8:1:2::1"), is("2001:db8:1:2:ffff::9"));
        assert_ne!(is("2001:db8:1:2::1"), is("2001:db8:1:3::1"));
        assert_ne!(is("::1"), is("0.0.0.0"));
        assert_eq!(format!("{:?}", is("192.0.2.1")), "ClientAddress(..)");
    }

    proptest! {
        /// No header that a client sends changes the address that is found.
        #[test]
        fn forged_headers_have_no_effect(claim in "[ -~]{0,60}", header in 0_usize..2, by_line: bool) {
            let name = ["x-forwarded-for", "forwarded"][header];
            let truth = ["192.0.2.1", "for=192.0.2.1"][header];
            let joined = format!("{claim},{truth}");
            let lines = if by_line { vec![(name, claim.as_str()), (name, truth)] } else { vec![(name, joined.as_str())] };
            prop_assert_eq!(from("10.0.0.1", &lines), is("192.0.2.1"));
            // The claim in the header that the proxy passes on unchanged.
            let other = ["forwarded", "x-forwarded-for"][header];
            let seen = from("10.0.0.1", &[(name, truth), (other, &claim)]);
            prop_assert!(seen == is("192.0.2.1") || seen == is("10.0.0.1"));
        }
    }
}
